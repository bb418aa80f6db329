"""Workers of ARQ, and its client."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool
from tests.conformance.executors.arq_app import DEFAULT, QUEUES
from tests.conformance.executors.site import OnRedis

from workflows_arq import ARQStepExecutor
from workflows_core.ports.executor import StepExecutor
from workflows_sqlalchemy import StoreAndQueries
from workflows_testing.conformance import StepExecutorConformance
from workflows_testing.conformance.deployments import ExecutorDeploymentConformance
from workflows_testing.servers import RedisServer


@asynccontextmanager
async def executor_at(url: str) -> AsyncGenerator[ARQStepExecutor]:
    """As `arq.create_pool` makes it, which connects at once."""
    pool = ArqRedis(ConnectionPool.from_url(url), default_queue_name=DEFAULT)
    yield ARQStepExecutor(pool, queues=QUEUES)
    await pool.aclose(close_connection_pool=True)


class WithARQ(OnRedis):
    program = "tests.conformance.executors.arq_app:main"

    @asynccontextmanager
    async def executor(self, sides: StoreAndQueries) -> AsyncGenerator[StepExecutor]:
        async with executor_at(self.broker_url) as executor:
            yield executor


class TestARQOnPostgreSQL(ExecutorDeploymentConformance):
    adapter = ARQStepExecutor
    flood = 10_000

    @pytest.fixture
    def deployment(self, postgres_url: str, tmp_path: Path, broker_server: RedisServer) -> WithARQ:
        return WithARQ(postgres_url, tmp_path, broker_server)


class TestARQOnSQLite(ExecutorDeploymentConformance):
    adapter = ARQStepExecutor

    @pytest.fixture
    def deployment(self, sqlite_url: str, tmp_path: Path, broker_server: RedisServer) -> WithARQ:
        return WithARQ(sqlite_url, tmp_path, broker_server)


class TestARQStepExecutor(StepExecutorConformance):
    adapter = ARQStepExecutor

    @pytest.fixture
    async def executor(self, broker_server: RedisServer) -> AsyncGenerator[ARQStepExecutor]:
        async with executor_at(broker_server.url) as executor:
            yield executor
            await executor.close()

    @pytest.fixture
    async def unreachable(self, broker_server: RedisServer) -> AsyncGenerator[ARQStepExecutor]:
        async with executor_at("redis://127.0.0.1:1/0") as executor:
            yield executor
            await executor.close()
