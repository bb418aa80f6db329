"""Celery's worker as a host of workflows, in each of the processes that run its tasks."""

from __future__ import annotations

import asyncio
import logging
import os
import random
from contextlib import suppress
from typing import Any, ClassVar, Final

from celery import Celery, signals
from celery.app import app_or_default
from celery.concurrency.solo import TaskPool as SoloPool
from celery.concurrency.thread import TaskPool as ThreadPool

from workflows_celery.ending import Ending
from workflows_celery.executor import TASK
from workflows_celery.suitability import refuse_unsuitable, warn_of_cuts
from workflows_core.engine.background_loop import BackgroundLoop
from workflows_core.engine.hosting import EngineFactory, WorkerHost
from workflows_core.errors import InfrastructureError

__all__ = ["CeleryWorkerHost"]

logger = logging.getLogger(__name__)

_NOT_YET: Final = "workflows do not run in this process yet, it goes on trying: %s"
_FIRST_PAUSE_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 5.0
"""Seconds between two attempts to start."""
_START_S: Final = 10.0
"""Seconds that a hint waits for the worker to be up; then it waits for an answer as `Worker.answer` does."""


class CeleryWorkerHost(WorkerHost):
    """Makes the workers of an application of Celery run workflows beside their other tasks.

    It takes one line in the module of the application::

        app = Celery(broker=...)
        CeleryWorkerHost(app, make_engine)  # celery -A module worker

    Each process that runs tasks has one event loop, in a thread, with one engine and one worker in it: with the pool ``prefork`` each
    child process, with ``solo`` and ``threads`` the process itself. Other pools are refused, and so are workers that accept no JSON.
    Several applications in one process have a host each, which minds the workers of its own only.

    Celery does not wait for the engine: while the store is away, the process goes on trying to start, and does its other tasks.

    A task that answers a hint ends when its work has begun, or when a slot is free again, after half a minute at most. One that comes
    before the worker is up waits for it, ten seconds at most, so that other processes get the hints meanwhile; then it is given up, as
    the worker looks for work by itself when it begins. So is one whose event loop a step blocks, after 45 seconds. It is acknowledged
    before it runs, whatever the application's default is: if the process dies, the store gives the work to another one.
    """

    _answer_s: ClassVar[float] = 45.0
    """Seconds that a hint keeps a process or thread of the pool: more than waiting takes in an event loop that no step blocks."""

    def __init__(
        self,
        app: Celery,
        factory: EngineFactory,
        *,
        queues: frozenset[str] | None = None,
        concurrency: int | None = None,
        drain_s: float = 30.0,
    ) -> None:
        """Register the task and the hooks.

        Args:
            app: The application.
            factory: Gives the engine, in each process and in its event loop.
            queues: Queues of work that the processes serve; None serves all.
            concurrency: Most steps at once in one process; None takes one for ``prefork`` and ``solo``, and as many as there are
                threads for ``threads``. Steps that wait rather than compute are well served by more.
            drain_s: Seconds that the end of a process gives the steps under way.
        """
        super().__init__(factory, queues=queues, concurrency=concurrency or 1, drain_s=drain_s)
        self._app = app
        self._is_concurrency_given = concurrency is not None
        self._loop: BackgroundLoop | None = None
        self._ending: Ending | None = None
        self._is_settled = asyncio.Event()  # the worker is up, or will not be
        self._starting: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        app.task(
            self._run,
            name=TASK,
            shared=False,  # other applications in this process have hosts of their own
            acks_late=False,
            ignore_result=True,
            store_errors_even_if_ignored=False,
            serializer="json",
            max_retries=0,
            track_started=False,
        )
        # Not weak: nobody else keeps them.
        signals.worker_init.connect(self._prepare, weak=False)
        signals.worker_process_init.connect(self._begin_in_child, weak=False)
        signals.worker_ready.connect(self._begin_in_main, weak=False)
        signals.worker_shutting_down.connect(self._tell_end, weak=False)
        signals.worker_process_shutdown.connect(self._end, weak=False)
        signals.worker_shutdown.connect(self._end, weak=False)

    def _prepare(self, sender: Any, **_: Any) -> None:
        """In the main process, before the pool forks."""
        if sender.app is self._app:
            refuse_unsuitable(sender)
            self._ending = Ending()

    def _tell_end(self, **_: Any) -> None:
        """In the main process, inside the handler of the signal."""
        if self._ending is not None:
            self._ending.tell()

    def _begin_in_child(self, **_: Any) -> None:
        if self._is_at_work() and (self._ending is None or not self._ending.is_main):
            self._begin()

    def _is_at_work(self) -> bool:
        """Whether the process of the pool is our application's. One that was spawned rather than forked works for a copy of it."""
        at_work = app_or_default()
        is_copy = "FORKED_BY_MULTIPROCESSING" in os.environ and at_work.main == self._app.main
        return at_work is self._app or is_copy

    def _begin_in_main(self, sender: Any, **_: Any) -> None:
        """When Celery is ready, and so hears signals: a step that is cut off by one would only be begun again after its lease."""
        if sender.app is not self._app:
            return
        warn_of_cuts(sender.controller, drain_s=self.drain_s)
        if isinstance(sender.pool, ThreadPool | SoloPool):
            if isinstance(sender.pool, ThreadPool) and not self._is_concurrency_given:
                self.concurrency = sender.pool.limit
            self._begin()

    def _begin(self) -> None:
        if self._loop is None:
            loop = BackgroundLoop("workflows-celery-worker")
            loop.run(self._begin_start())
            self._loop = loop

    def _end(self, **_: Any) -> None:
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.run(self._stop())
            loop.stop()

    async def _begin_start(self) -> None:
        """Listen for the end, and start in the background: Celery kills a process of the pool that is not up after four seconds."""
        if self._ending is not None:
            asyncio.get_running_loop().add_reader(self._ending.listen(), self._begin_stop)
        self._starting = asyncio.create_task(self._keep_starting())

    async def _keep_starting(self) -> None:
        """Start; as long as that fails, try again."""
        pause_s, told = _FIRST_PAUSE_S, ""
        while True:
            try:
                await self.start()
            except Exception as error:
                if str(error) != told:
                    told = str(error)
                    is_foreseen = isinstance(error, InfrastructureError)
                    logger.warning(_NOT_YET, error, exc_info=None if is_foreseen else error)
            else:
                self._is_settled.set()
                return
            await asyncio.sleep(pause_s * random.uniform(0.8, 1.0))  # noqa: S311 - not a secret
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    def _begin_stop(self) -> None:
        """In the event loop, once: when the worker is told to end, or else when its process ends."""
        if self._stopping is None:
            if self._ending is not None:
                asyncio.get_running_loop().remove_reader(self._ending.listen())
            self._stopping = asyncio.create_task(self._cease())

    async def _cease(self) -> None:
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait([self._starting])
        self._is_settled.set()
        await self.stop()

    async def _stop(self) -> None:
        self._begin_stop()
        if self._stopping is not None:
            await self._stopping

    def _run(self, *, queue: str, work: str) -> bool:  # noqa: ARG002 - it tells people what the hint was about
        loop = self._loop
        if loop is None:
            return False
        try:
            return loop.run(self._answer(queue), within_s=self._answer_s)
        except TimeoutError:
            logger.warning(
                "the event loop of the steps does not answer: a step blocks it; what blocks belongs into a step whose `execute` is no "
                "coroutine function: it runs in a thread"
            )
            return False

    async def _answer(self, queue: str) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(_START_S):
                await self._is_settled.wait()
        return await self.answer(queue)
