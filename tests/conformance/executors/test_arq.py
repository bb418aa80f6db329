"""Workers of ARQ, and its client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool
from tests.conformance.executors.arq_app import DEFAULT, QUEUES
from tests.conformance.executors.processes import ForkedWorker
from tests.conformance.executors.site import OnRedis

from workflows_arq import ARQStepExecutor
from workflows_core.ports.executor import StepExecutor
from workflows_sqlalchemy import StoreAndQueries
from workflows_testing.conformance import StepExecutorConformance
from workflows_testing.conformance.deployment_site import DeploymentContract, Site
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


class TestARQAtItsEnd(DeploymentContract):
    """What the rules for all executors do not ask."""

    drain_s = 4.0

    @pytest.fixture
    def deployment(self, postgres_url: str, tmp_path: Path, broker_server: RedisServer) -> WithARQ:
        return WithARQ(postgres_url, tmp_path, broker_server)

    async def test_a_worker_ends_in_time_with_a_long_step_and_a_backlog_and_claims_no_more(
        self, deployment: WithARQ
    ) -> None:
        async with self.site(deployment) as site:
            worker = await self._busy_worker(site)
            begun, at = len(deployment.effects.runs()), time.monotonic()
            assert await worker.stop() == 0, site.logs()
            assert time.monotonic() - at < self.drain_s * 1.75
            assert len(deployment.effects.runs()) - begun < 20

    async def test_a_worker_ends_in_time_while_redis_is_away(self, deployment: WithARQ) -> None:
        async with self.site(deployment) as site:
            worker = await self._busy_worker(site)
            assert deployment.broker is not None
            await deployment.broker.stop()
            await asyncio.sleep(0.5)
            at = time.monotonic()
            assert await worker.stop() == 1, "ARQ's worker cannot say goodbye to Redis"
            assert time.monotonic() - at < self.drain_s * 1.75
            runs = deployment.effects.runs()
            assert sum(ended == float("inf") for spans in runs.values() for _, ended in spans) == 1, "the long step"

    async def _busy_worker(self, site: Site) -> ForkedWorker:
        """One with a step that does not end, whose hint waits for it, and with more work than it can do."""
        worker = await site.worker(concurrency=3, drain_s=self.drain_s)
        await site.begun(*await site.start_many(2, "single", takes_s=2.0))
        await site.begun(await site.start("gated", gate="/nowhere"))  # has the last slot
        await site.start_many(300, "single", takes_s=0.1)
        await site.until("a step", lambda: len(site.deployment.effects.runs()) > 5)
        assert isinstance(worker, ForkedWorker)
        return worker
