"""A deployment inside this process: its broker is a list, its workers are tasks. Sound by itself; each fault changes one thing."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import weakref
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from workflows_core.adapters.broker_executor import BrokerExecutor, Hint
from workflows_core.adapters.memory import InMemoryWorkflowQueries, InMemoryWorkflowStore, MemoryState
from workflows_core.engine.engine import WorkflowEngine
from workflows_core.engine.hosting import WorkerHost
from workflows_core.errors import StoreUnavailableError
from workflows_core.ports.clock import Clock
from workflows_core.ports.executor import StepExecutor
from workflows_core.ports.store import WorkflowStore
from workflows_testing.deployments import (
    EFFECTS_VARIABLE,
    Broker,
    Connected,
    Deployment,
    Effects,
    WorkerOptions,
    WorkerProcess,
    make_engine,
)
from workflows_testing.faults.relay import StoreCall, StoreRelay

__all__ = ["InProcessDeployment", "ListExecutor", "MemoryBroker", "TaskWorker", "WorkerStore"]


class MemoryBroker(Broker):
    """Messages in a list."""

    def __init__(self) -> None:
        self.messages: deque[Hint] = deque()
        self.is_up = True
        self.changed = asyncio.Condition()

    async def stop(self) -> None:
        self.is_up = False
        await self.empty()

    async def start(self) -> None:
        self.is_up = True

    async def empty(self) -> None:
        self.messages.clear()

    async def put(self, hint: Hint) -> None:
        """Take a message."""
        if not self.is_up:
            msg = "nobody is there"
            raise ConnectionError(msg)
        async with self.changed:
            self.messages.append(hint)
            self.changed.notify_all()

    async def get(self) -> Hint:
        """Deliver one message."""
        async with self.changed:
            await self.changed.wait_for(lambda: self.messages)
            return self.messages.popleft()


class ListExecutor(BrokerExecutor):
    """Sends to the list."""

    def __init__(self, broker: MemoryBroker) -> None:
        super().__init__()
        self.broker = broker

    async def send(self, hint: Hint) -> None:
        await self.broker.put(hint)

    async def disconnect(self) -> None:
        """Nothing is open."""


class WorkerStore(StoreRelay):
    """The store as a process sees it, until that is killed."""

    def __init__(self, store: WorkflowStore) -> None:
        super().__init__(store)
        self.is_cut = False

    async def carry(self, call: StoreCall) -> Any:
        if self.is_cut:
            raise StoreUnavailableError("the process is dead")
        return await call.perform()


class TaskWorker(WorkerProcess):
    """A host, and a task that delivers messages to it."""

    def __init__(self, deployment: InProcessDeployment, options: WorkerOptions) -> None:
        self.deployment = deployment
        self.options = options
        self.store = deployment.worker_store()
        self.host = WorkerHost(
            self.make_engine, queues=options.queues, concurrency=options.concurrency, drain_s=options.drain_s
        )
        self.pump = asyncio.create_task(self.deliver())
        self.answers: set[asyncio.Task[bool]] = set()

    @property
    def log(self) -> str:
        return ""

    def make_engine(self) -> WorkflowEngine:
        """The engine of the process."""
        queries = InMemoryWorkflowQueries(self.deployment.memory)
        executor = self.deployment.make_executor()
        return make_engine(Connected(self.store, queries, executor), self.options)

    async def deliver(self) -> None:
        """What the process does."""
        await self.host.start()
        while True:
            await self.take(await self.deployment.broker.get())

    async def take(self, hint: Hint) -> None:
        """Answer a message, and wait for nothing."""
        answer = asyncio.create_task(self.host.answer(hint.queue))
        self.answers.add(answer)
        answer.add_done_callback(self.answers.discard)

    async def kill(self) -> None:
        self.store.is_cut = True
        running = self.host._task
        for task in (self.pump, running, *self.answers):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def stop(self) -> int | None:
        self.pump.cancel()
        await self.host.stop()
        return 0

    async def keep_up(self) -> None:
        """It does not end by itself."""


class InProcessDeployment(Deployment):
    """Everything in one process and in one event loop.

    Args:
        clock: The time of the store; that of the machine unless given.
    """

    broker: MemoryBroker

    def __init__(self, clock: Clock | None = None) -> None:
        directory = tempfile.mkdtemp(prefix="workflows-deployment-")
        weakref.finalize(self, shutil.rmtree, directory, ignore_errors=True)
        self.memory = MemoryState(clock)
        self.effects = Effects(Path(directory) / "effects.jsonl")
        self.broker = MemoryBroker()
        os.environ[EFFECTS_VARIABLE] = str(self.effects.path)

    def connect(self) -> AbstractAsyncContextManager[Connected]:
        return self._connect()

    @asynccontextmanager
    async def _connect(self) -> AsyncGenerator[Connected]:
        yield Connected(self.make_store(), InMemoryWorkflowQueries(self.memory), self.make_executor())

    def make_store(self) -> WorkflowStore:
        """The store of a process."""
        return InMemoryWorkflowStore(self.memory)

    def worker_store(self) -> WorkerStore:
        """That of a worker process."""
        return WorkerStore(self.make_store())

    def make_executor(self) -> StepExecutor:
        """The executor of a process."""
        return ListExecutor(self.broker)

    async def start_worker(self, options: WorkerOptions) -> WorkerProcess:
        return TaskWorker(self, options)
