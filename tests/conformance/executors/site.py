"""The deployments under test: an executor, a database, and processes that run what a program of ours says."""

from __future__ import annotations

import asyncio
import importlib
import os
from abc import abstractmethod
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

from tests.conformance.executors.processes import ForkedWorker

from workflows_core.adapters.wired_engine import WiredEngine
from workflows_core.ports.executor import StepExecutor
from workflows_sqlalchemy import StoreAndQueries, create_store
from workflows_testing.deployments import (
    EFFECTS_VARIABLE,
    Broker,
    Connected,
    Deployment,
    Effects,
    WorkerOptions,
    make_engine,
)
from workflows_testing.servers import RedisServer

DATABASE_VARIABLE = "WORKFLOWS_TEST_DATABASE"
BROKER_VARIABLE = "WORKFLOWS_TEST_BROKER"
ENGINE_VARIABLE = "WORKFLOWS_TEST_ENGINE"


def persistence() -> StoreAndQueries:
    """Store and queries of a worker process."""
    return create_store(os.environ[DATABASE_VARIABLE], pool_size=5)


def worker_engine(executor: StepExecutor) -> WiredEngine:
    """The engine of a worker process: that of the rules, unless the environment names another one."""
    module, _, name = os.environ.get(ENGINE_VARIABLE, f"{make_engine.__module__}:{make_engine.__name__}").partition(":")
    make: Callable[[Connected], WiredEngine] = getattr(importlib.import_module(module), name)
    return make(Connected(*persistence(), executor))


class OnDatabase(Deployment):
    """What all deployments have in common.

    Args:
        url: The database, empty.
        directory: For files.
        server: The broker's server, where there is one.
    """

    program: ClassVar[str]
    stop_s: ClassVar[float] = 30.0
    """Seconds that a worker has for its end."""

    def __init__(self, url: str, directory: Path, server: RedisServer | None = None) -> None:
        self.url = url
        self.directory = directory
        self.server = server
        self.effects = Effects(directory / "effects.jsonl")
        self.broker: Broker | None = None
        self.environment = {DATABASE_VARIABLE: url, EFFECTS_VARIABLE: str(self.effects.path)}
        self.workers: list[ForkedWorker] = []

    def connect(self) -> AbstractAsyncContextManager[Connected]:
        return self._connect()

    @asynccontextmanager
    async def _connect(self) -> AsyncGenerator[Connected]:
        sides = create_store(self.url, pool_size=10)
        async with self.executor(sides) as executor:
            yield Connected(sides.store, sides.queries, executor)

    @abstractmethod
    def executor(self, sides: StoreAndQueries) -> AbstractAsyncContextManager[StepExecutor]:
        """The executor of a process that runs nothing, in the event loop of that process."""

    async def start_worker(self, options: WorkerOptions) -> ForkedWorker:
        log = self.directory / f"worker-{len(self.workers)}.log"
        environment = {**self.environment, **options.to_environment()}
        worker = ForkedWorker(self.program, environment, log, stop_s=self.stop_s)
        self.workers.append(worker)
        return worker


class RedisBroker(Broker):
    """A server of the Redis protocol.

    Args:
        server: One that the tests may stop.
    """

    def __init__(self, server: RedisServer) -> None:
        self._server = server

    async def stop(self) -> None:
        await asyncio.to_thread(self._server.stop, immediate=True)

    async def start(self) -> None:
        await asyncio.to_thread(self._server.start)

    async def empty(self) -> None:
        from redis.asyncio import Redis

        client: Any = Redis.from_url(self._server.url)
        await client.flushall()
        await client.aclose()


class OnRedis(OnDatabase):
    """Hints go through Redis."""

    def __init__(self, url: str, directory: Path, server: RedisServer) -> None:
        super().__init__(url, directory, server)
        self.broker_url = server.url
        self.broker = RedisBroker(server)
        self.environment[BROKER_VARIABLE] = server.url
