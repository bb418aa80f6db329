"""An engine and its worker inside a process that belongs to somebody else: the worker of a task queue."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from workflows_core.engine.engine import WorkflowEngine
from workflows_core.engine.worker import Worker

__all__ = ["EngineFactory", "WorkerHost", "make_engine"]

logger = logging.getLogger(__name__)

EngineFactory: TypeAlias = Callable[[], WorkflowEngine | Awaitable[WorkflowEngine]]
"""Gives an engine; a function or a coroutine function of the application, called in the process and event loop that use the engine."""


async def make_engine(factory: EngineFactory) -> WorkflowEngine:
    """An engine that is ready to be used; whoever asked closes it.

    Raises:
        StoreUnavailableError: The store cannot be used; the engine is closed.
    """
    made = factory()
    engine = await made if inspect.isawaitable(made) else made
    try:
        await engine.store.check()
        await engine.publish_definitions()
    except BaseException:
        await engine.aclose()
        raise
    return engine


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
        self._engine: WorkflowEngine | None = None
        self._worker: Worker | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Make the engine and run its worker.

        Raises:
            StoreUnavailableError: The store cannot be used; nothing was started.
        """
        self._engine = await make_engine(self._factory)
        self._worker = Worker(self._engine, concurrency=self.concurrency, queues=self._queues)
        self._task = asyncio.create_task(self._worker.run(), name=f"workflows-worker-{self._worker.id}")
        logger.info("worker %s runs in this process", self._worker.id)

    async def stop(self) -> None:
        """Claim no more, finish or give back what is under way, and close the engine. A second call does nothing."""
        engine, worker, task = self._engine, self._worker, self._task
        self._engine = self._worker = self._task = None
        if engine is None or worker is None or task is None:
            return
        try:
            await worker.stop(drain_s=self.drain_s)
            await task
        finally:
            await engine.aclose()

    async def answer(self, queue: str) -> bool:
        """Do a piece of due work of a queue; see `Worker.answer`. Nothing is done before `start` and after `stop`."""
        return self._worker is not None and await self._worker.answer(queue)
