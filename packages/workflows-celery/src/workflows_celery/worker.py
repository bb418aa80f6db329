"""Celery's worker as a host of workflows, in each of the processes that run its tasks."""

from __future__ import annotations

import asyncio
from typing import Any

from celery import Celery, signals
from celery.concurrency.solo import TaskPool as SoloPool
from celery.concurrency.thread import TaskPool as ThreadPool

from workflows_celery.ending import Ending
from workflows_celery.executor import TASK
from workflows_core.engine.background_loop import BackgroundLoop
from workflows_core.engine.hosting import EngineFactory, WorkerHost

__all__ = ["CeleryWorkerHost"]


class CeleryWorkerHost(WorkerHost):
    """Makes the workers of an application of Celery run workflows beside their other tasks.

    It takes one line in the module of the application::

        app = Celery(broker=...)
        CeleryWorkerHost(app, make_engine)  # celery -A module worker

    Each process that runs tasks has one event loop, in a thread, with one engine and one worker in it: with the pool ``prefork`` each
    child process, with ``solo`` and ``threads`` the process itself. Pools of greenlets are refused.

    A task that answers a hint ends when its work has begun, or when a slot is free again, after half a minute at most. It is acknowledged
    before it runs, whatever the application's default is: if the process dies, the store gives the work to another one.
    """

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
        self._is_concurrency_given = concurrency is not None
        self._loop: BackgroundLoop | None = None
        self._ending: Ending | None = None
        self._stopping: asyncio.Task[None] | None = None
        app.task(
            self._run,
            name=TASK,
            shared=False,  # other applications in this process have workers of their own
            acks_late=False,
            ignore_result=True,
            serializer="json",
            max_retries=0,
            track_started=False,
        )
        # Not weak: nobody else keeps them.
        signals.worker_init.connect(self._refuse_greenlets, weak=False)
        signals.worker_init.connect(self._prepare, weak=False)
        signals.worker_process_init.connect(self._begin_in_child, weak=False)
        signals.worker_ready.connect(self._begin_in_main, weak=False)
        signals.worker_shutting_down.connect(self._tell_end, weak=False)
        signals.worker_process_shutdown.connect(self._end, weak=False)
        signals.worker_shutdown.connect(self._end, weak=False)

    def _refuse_greenlets(self, sender: Any, **_: Any) -> None:
        module = getattr(sender.pool_cls, "__module__", "")
        if module.endswith((".gevent", ".eventlet")):
            msg = (
                f"workflows cannot run in Celery's pool {module.rpartition('.')[2]!r}: its greenlets and an event loop do not go "
                "together; use --pool=prefork, threads or solo"
            )
            raise SystemExit(msg)

    def _prepare(self, **_: Any) -> None:
        """In the main process, before the pool forks."""
        self._ending = Ending()

    def _tell_end(self, **_: Any) -> None:
        """In the main process, inside the handler of the signal."""
        if self._ending is not None:
            self._ending.tell()

    def _begin_in_child(self, **_: Any) -> None:
        if self._ending is None or not self._ending.is_main:
            self._begin()

    def _begin_in_main(self, sender: Any, **_: Any) -> None:
        """When Celery is ready, and so hears signals: a step that is cut off by one would only be begun again after its lease."""
        if isinstance(sender.pool, ThreadPool | SoloPool):
            if isinstance(sender.pool, ThreadPool) and not self._is_concurrency_given:
                self.concurrency = sender.pool.limit
            self._begin()

    def _begin(self) -> None:
        if self._loop is None:
            self._loop = BackgroundLoop("workflows-celery-worker")
            self._loop.run(self._start())

    def _end(self, **_: Any) -> None:
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.run(self._stop())
            loop.stop()

    async def _start(self) -> None:
        await self.start()
        if self._ending is not None:
            asyncio.get_running_loop().add_reader(self._ending.listen(), self._begin_stop)

    def _begin_stop(self) -> None:
        """In the event loop, once: when the worker is told to end, or else when its process ends."""
        if self._stopping is None:
            if self._ending is not None:
                asyncio.get_running_loop().remove_reader(self._ending.listen())
            self._stopping = asyncio.create_task(self.stop())

    async def _stop(self) -> None:
        self._begin_stop()
        if self._stopping is not None:
            await self._stopping

    def _run(self, *, queue: str, work: str) -> bool:  # noqa: ARG002 - it tells people what the hint was about
        return self._loop is not None and self._loop.run(self.answer(queue))
