"""An engine and its worker inside a process that belongs to somebody else: the worker of a task queue."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from typing import TypeAlias

from workflows_core.engine.engine import WorkflowEngine
from workflows_core.engine.worker import Worker

__all__ = ["EngineFactory", "WorkerHost", "engine_of"]

logger = logging.getLogger(__name__)

EngineFactory: TypeAlias = Callable[
    [], WorkflowEngine | Awaitable[WorkflowEngine] | AbstractAsyncContextManager[WorkflowEngine]
]
"""Gives an engine; called in the process and event loop that use it. A function or a coroutine function of the application, whose engine is
closed after use; or one that gives an asynchronous context manager, which itself closes what belongs to the engine."""


@asynccontextmanager
async def engine_of(factory: EngineFactory) -> AsyncIterator[WorkflowEngine]:
    """The engine that a factory gives, over a store that can be used; closed at the end.

    Raises:
        StoreUnavailableError: The store cannot be used; the engine is closed.
    """
    made = factory()
    if isinstance(made, AbstractAsyncContextManager) and not isinstance(made, WorkflowEngine):
        opened = made
    else:
        opened = aclosing(await made if inspect.isawaitable(made) else made)
    async with opened as engine:
        await engine.store.check()
        yield engine


class WorkerHost:
    """Makes the engine when the process begins, runs a worker beside its other tasks, and stops both when the process ends.

    The worker answers the hints that the task queue delivers to this process. It also looks for itself, as every worker does: for timers
    that are due, for the work of processes that died, and for work whose hint was lost. All methods are called in one event loop.

    Attributes:
        concurrency: Most steps at once; read by `start`.
        drain_s: Seconds that `stop` gives the steps under way.
    """

    def __init__(
        self,
        factory: EngineFactory,
        *,
        queues: frozenset[str] | None = None,
        concurrency: int = 32,
        drain_s: float = 30.0,
    ) -> None:
        """Start nothing yet.

        Args:
            factory: Gives the engine.
            queues: Queues of work that the process serves; None serves all.
            concurrency: Most steps at once.
            drain_s: Seconds that `stop` gives the steps under way; then they are cancelled and given back.
        """
        self._factory = factory
        self._queues = queues
        self.concurrency = concurrency
        self.drain_s = drain_s
        self._opened: AsyncExitStack | None = None
        self._worker: Worker | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Make the engine and run its worker.

        Raises:
            StoreUnavailableError: The store cannot be used; nothing was started.
        """
        async with AsyncExitStack() as opened:
            engine = await opened.enter_async_context(engine_of(self._factory))
            await engine.publish_definitions()
            self._worker = Worker(engine, concurrency=self.concurrency, queues=self._queues)
            self._task = asyncio.create_task(self._worker.run(), name=f"workflows-worker-{self._worker.id}")
            self._opened = opened.pop_all()
        logger.info("worker %s runs in this process", self._worker.id)

    async def stop(self) -> None:
        """Claim no more, finish or give back what is under way, and close the engine. A second call does nothing."""
        opened, worker, task = self._opened, self._worker, self._task
        self._opened = self._worker = self._task = None
        if opened is None or worker is None or task is None:
            return
        async with opened:
            await worker.stop(drain_s=self.drain_s)
            await task

    async def answer(self, queue: str) -> bool:
        """Do a piece of due work of a queue; see `Worker.answer`. Nothing is done before `start` and after `stop`."""
        return self._worker is not None and await self._worker.answer(queue)
