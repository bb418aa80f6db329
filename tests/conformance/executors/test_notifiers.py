"""Workers without a broker: the notifiers of the stores, and the command ``workflows worker``."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.conformance.executors.site import OnDatabase

from workflows_core.ports.executor import StepExecutor
from workflows_sqlalchemy import StoreAndQueries
from workflows_sqlalchemy.postgresql.notifier import PostgreSQLNotifier
from workflows_sqlalchemy.sqlite.notifier import SQLiteNotifier
from workflows_testing.conformance.deployments import ExecutorDeploymentConformance


class WithNotifier(OnDatabase):
    program = "tests.conformance.executors.notifier_app:main"

    @asynccontextmanager
    async def executor(self, sides: StoreAndQueries) -> AsyncGenerator[StepExecutor]:
        yield sides.store.notifier()


class TestNotifierOnPostgreSQL(ExecutorDeploymentConformance):
    adapter = PostgreSQLNotifier
    flood = 10_000

    @pytest.fixture
    def deployment(self, postgres_url: str, tmp_path: Path) -> WithNotifier:
        return WithNotifier(postgres_url, tmp_path)


class TestNotifierOnSQLite(ExecutorDeploymentConformance):
    adapter = SQLiteNotifier

    @pytest.fixture
    def deployment(self, sqlite_url: str, tmp_path: Path) -> WithNotifier:
        return WithNotifier(sqlite_url, tmp_path)
