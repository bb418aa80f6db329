"""Workers of SAQ, and its client."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from redis.exceptions import RedisError
from tests.conformance.executors.saq_app import make_queues
from tests.conformance.executors.site import OnRedis

from workflows_core.ports.executor import StepExecutor
from workflows_saq import SAQStepExecutor
from workflows_sqlalchemy import StoreAndQueries
from workflows_testing.conformance import StepExecutorConformance
from workflows_testing.conformance.deployments import ExecutorDeploymentConformance
from workflows_testing.servers import RedisServer


@asynccontextmanager
async def executor_at(url: str) -> AsyncGenerator[SAQStepExecutor]:
    queue, queues = make_queues(url)
    yield SAQStepExecutor(queue, queues=queues)
    for one in (queue, *queues.values()):
        with suppress(RedisError):  # SAQ says goodbye to a server that is not there
            await one.disconnect()


class WithSAQ(OnRedis):
    program = "tests.conformance.executors.saq_app:main"

    @asynccontextmanager
    async def executor(self, sides: StoreAndQueries) -> AsyncGenerator[StepExecutor]:
        async with executor_at(self.broker_url) as executor:
            yield executor


class TestSAQOnPostgreSQL(ExecutorDeploymentConformance):
    adapter = SAQStepExecutor
    flood = 10_000

    @pytest.fixture
    def deployment(self, postgres_url: str, tmp_path: Path, broker_server: RedisServer) -> WithSAQ:
        return WithSAQ(postgres_url, tmp_path, broker_server)


class TestSAQOnSQLite(ExecutorDeploymentConformance):
    adapter = SAQStepExecutor

    @pytest.fixture
    def deployment(self, sqlite_url: str, tmp_path: Path, broker_server: RedisServer) -> WithSAQ:
        return WithSAQ(sqlite_url, tmp_path, broker_server)


class TestSAQStepExecutor(StepExecutorConformance):
    adapter = SAQStepExecutor

    @pytest.fixture
    async def executor(self, broker_server: RedisServer) -> AsyncGenerator[SAQStepExecutor]:
        async with executor_at(broker_server.url) as executor:
            yield executor
            await executor.close()

    @pytest.fixture
    async def unreachable(self, broker_server: RedisServer) -> AsyncGenerator[SAQStepExecutor]:
        async with executor_at("redis://127.0.0.1:1/0") as executor:
            yield executor
            await executor.close()
