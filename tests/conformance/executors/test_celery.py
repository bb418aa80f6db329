"""Workers of Celery in each of its pools that run workflows, and its client."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import pytest
from tests.conformance.executors.celery_app import POOL_VARIABLE, QUEUES, make_app
from tests.conformance.executors.rabbitmq import AMQP_URL, given_broker
from tests.conformance.executors.site import BROKER_VARIABLE, OnDatabase, OnRedis

from workflows_celery import CeleryStepExecutor
from workflows_core.ports.executor import StepExecutor
from workflows_sqlalchemy import StoreAndQueries
from workflows_testing.conformance import StepExecutorConformance
from workflows_testing.conformance.deployment_site import DeploymentContract
from workflows_testing.conformance.deployments import ExecutorDeploymentConformance
from workflows_testing.deployments import WorkerOptions
from workflows_testing.servers import RedisServer

PREFORK_STOP_S = 75.0
"""Its processes may wait for half a minute when their work is done, see docs/how-to/run-on-a-task-queue.md."""


@asynccontextmanager
async def executor_at(url: str) -> AsyncGenerator[CeleryStepExecutor]:
    app = make_app(url)
    yield CeleryStepExecutor(app, queues=QUEUES)
    app.close()


class WithCelery(OnRedis):
    program = "tests.conformance.executors.celery_app:main"
    pool: ClassVar[str] = "prefork"
    stop_s = PREFORK_STOP_S

    def __init__(self, url: str, directory: Path, server: RedisServer) -> None:
        super().__init__(url, directory, server)
        self.environment[POOL_VARIABLE] = self.pool

    @asynccontextmanager
    async def executor(self, sides: StoreAndQueries) -> AsyncGenerator[StepExecutor]:
        async with executor_at(self.broker_url) as executor:
            yield executor


class WithRabbitMQ(OnDatabase):
    """The same through a server that the tests were given."""

    program = "tests.conformance.executors.celery_app:main"
    stop_s = PREFORK_STOP_S

    def __init__(self, url: str, directory: Path, broker_url: str) -> None:
        super().__init__(url, directory)
        self.broker_url = broker_url
        self.broker = given_broker()
        self.environment |= {BROKER_VARIABLE: broker_url, POOL_VARIABLE: "prefork"}

    @asynccontextmanager
    async def executor(self, sides: StoreAndQueries) -> AsyncGenerator[StepExecutor]:
        async with executor_at(self.broker_url) as executor:
            yield executor


class WithThreads(WithCelery):
    pool = "threads"
    stop_s = OnDatabase.stop_s


class WithSolo(WithCelery):
    pool = "solo"
    stop_s = OnDatabase.stop_s


class TestCeleryOnPostgreSQL(ExecutorDeploymentConformance):
    adapter = CeleryStepExecutor
    flood = 10_000

    @pytest.fixture
    def deployment(self, postgres_url: str, tmp_path: Path, broker_server: RedisServer) -> WithCelery:
        return WithCelery(postgres_url, tmp_path, broker_server)


if AMQP_URL is not None:

    class TestCeleryThroughRabbitMQ(ExecutorDeploymentConformance):
        adapter = CeleryStepExecutor

        @pytest.fixture
        def deployment(self, postgres_url: str, tmp_path: Path) -> WithRabbitMQ:
            return WithRabbitMQ(postgres_url, tmp_path, str(AMQP_URL))


class TestCeleryOnSQLite(ExecutorDeploymentConformance):
    adapter = CeleryStepExecutor

    @pytest.fixture
    def deployment(self, sqlite_url: str, tmp_path: Path, broker_server: RedisServer) -> WithCelery:
        return WithCelery(sqlite_url, tmp_path, broker_server)


class TestCeleryThreadsOnPostgreSQL(ExecutorDeploymentConformance):
    adapter = CeleryStepExecutor

    @pytest.fixture
    def deployment(self, postgres_url: str, tmp_path: Path, broker_server: RedisServer) -> WithThreads:
        return WithThreads(postgres_url, tmp_path, broker_server)


class TestCelerySoloOnPostgreSQL(ExecutorDeploymentConformance):
    adapter = CeleryStepExecutor

    @pytest.fixture
    def deployment(self, postgres_url: str, tmp_path: Path, broker_server: RedisServer) -> WithSolo:
        return WithSolo(postgres_url, tmp_path, broker_server)


class TestCeleryStepExecutor(StepExecutorConformance):
    adapter = CeleryStepExecutor

    @pytest.fixture
    async def executor(self, broker_server: RedisServer) -> AsyncGenerator[CeleryStepExecutor]:
        async with executor_at(broker_server.url) as executor:
            yield executor
            await executor.close()

    @pytest.fixture
    async def unreachable(self, broker_server: RedisServer) -> AsyncGenerator[CeleryStepExecutor]:
        async with executor_at("redis://127.0.0.1:1/0") as executor:
            yield executor
            await executor.close()


class TestCeleryAtItsEnd(DeploymentContract):
    """What the rules for all executors do not ask."""

    async def test_a_worker_ends_its_steps_in_time_with_a_backlog_in_the_broker(
        self, postgres_url: str, tmp_path: Path, broker_server: RedisServer
    ) -> None:
        deployment = WithCelery(postgres_url, tmp_path, broker_server)
        async with self.site(deployment) as site:
            await site.start_many(1_000, "single", takes_s=0.02)
            worker = await site.worker()
            await site.until("a step", lambda: len(deployment.effects.all()) > 20)
            at = time.monotonic()
            assert await worker.stop() == 0, site.logs()
            ends = [ended for spans in deployment.effects.runs().values() for _, ended in spans]
            assert max(ends) < at + WorkerOptions().drain_s, "a step was cut off, or went on for too long"
            assert len(ends) < 1_000, "there was no backlog"

    async def test_the_work_of_a_killed_process_of_the_pool_is_done_by_the_others(
        self, postgres_url: str, tmp_path: Path, broker_server: RedisServer
    ) -> None:
        deployment = WithCelery(postgres_url, tmp_path, broker_server)
        gate = tmp_path / "gate"
        async with self.site(deployment) as site:
            worker = await site.worker()
            await site.until("Celery", lambda: "ready." in worker.log)  # it gives up if a process dies before
            instance = await site.start("gated", gate=str(gate))
            await site.begun(instance)
            os.kill(site.effects_of(instance)[0].pid, signal.SIGKILL)
            await site.begun(instance, times=2)
            gate.touch()
            await site.completed(instance)
