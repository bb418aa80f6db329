"""Workers inside the processes that start workflows, which tell each other through the notifiers of the stores."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.conformance.executors.site import OnDatabase

from workflows_core.adapters.in_process_executor import InProcessExecutor
from workflows_core.ports.executor import StepExecutor
from workflows_sqlalchemy import StoreAndQueries
from workflows_testing.conformance.deployments import ExecutorDeploymentConformance


class InProcess(OnDatabase):
    program = "tests.conformance.executors.local_app:main"

    @asynccontextmanager
    async def executor(self, sides: StoreAndQueries) -> AsyncGenerator[StepExecutor]:
        yield sides.store.notifier()


class TestInProcessOnPostgreSQL(ExecutorDeploymentConformance):
    adapter = InProcessExecutor
    flood = 10_000

    @pytest.fixture
    def deployment(self, postgres_url: str, tmp_path: Path) -> InProcess:
        return InProcess(postgres_url, tmp_path)


class TestInProcessOnSQLite(ExecutorDeploymentConformance):
    adapter = InProcessExecutor

    @pytest.fixture
    def deployment(self, sqlite_url: str, tmp_path: Path) -> InProcess:
        return InProcess(sqlite_url, tmp_path)
