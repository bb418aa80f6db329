"""An executor without a broker: hints wake the workers in the same process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from workflows_core.adapters.subscriptions import Subscriptions
from workflows_core.ports.executor import StepExecutor, WorkRef
from workflows_core.ports.wake_ups import WakeUps

if TYPE_CHECKING:
    from workflows_core.engine.worker import Worker

__all__ = ["InProcessExecutor", "NullExecutor"]


class NullExecutor(StepExecutor):
    """Gives no hints: the workers of other processes look into the store themselves."""

    async def publish(self, items: Sequence[WorkRef], *, queue: str, priority: int = 0) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""


class InProcessExecutor(StepExecutor, WakeUps):
    """Wakes the workers of this process; the first hint in an event loop without a worker starts one there.

    That worker ends with `stop`, or is cancelled with its event loop; its work is durable in either case.
    """

    def __init__(self, others: StepExecutor | None = None) -> None:
        """Begin without a worker.

        Args:
            others: Reaches the workers of other processes, and hears from them if it also is a `WakeUps`; None reaches nobody.
        """
        self._others = others
        self._heard = others if others is not None and isinstance(others, WakeUps) else None
        self._subscriptions = Subscriptions()
        self._make: Callable[[], Worker] | None = None
        self._worker: Worker | None = None
        self._task: asyncio.Task[None] | None = None

    def bind(self, make_worker: Callable[[], Worker]) -> None:
        """Say how the worker is made; called once, by the wiring."""
        self._make = make_worker

    async def publish(self, items: Sequence[WorkRef], *, queue: str, priority: int = 0) -> None:
        """Wake the workers; start one if there is none."""
        if self._subscriptions.are_here():
            self._subscriptions.wake((queue,))
        else:
            self.ensure_running().wake()
        if self._others is not None:
            await self._others.publish(items, queue=queue, priority=priority)

    def subscribe(self, wake: Callable[[], None], *, queues: frozenset[str] | None = None) -> Callable[[], None]:
        """Wake somebody by the hints of this process, and by those of others as far as they are heard."""
        end_here = self._subscriptions.add(wake, queues)
        end_there = self._heard.subscribe(wake, queues=queues) if self._heard is not None else None

        def end() -> None:
            end_here()
            if end_there is not None:
                end_there()

        return end

    @property
    def is_proven(self) -> bool:
        return self._heard is None or self._heard.is_proven

    def ensure_running(self) -> Worker:
        """The worker of the running event loop; started if there is none."""
        loop = asyncio.get_running_loop()
        worker, task = self._worker, self._task
        if worker is None or task is None or task.done() or task.get_loop() is not loop:
            if self._make is None:
                msg = "the executor has no worker: bind it to an engine first"
                raise RuntimeError(msg)
            worker = self._worker = self._make()
            self._task = loop.create_task(worker.run(), name=f"workflows-worker-{worker.id}")
        return worker

    async def stop(self, *, drain_s: float | None = None) -> None:
        """Stop the worker after its steps under way; see `Worker.stop`."""
        worker, task = self._worker, self._task
        try:
            if worker is not None and task is not None and task.get_loop() is asyncio.get_running_loop():
                # Hints of the steps under way reach this worker still: one who forgot it would start another.
                await worker.stop(drain_s=drain_s)
                await task
        finally:
            if self._task is task:
                self._worker = self._task = None

    async def close(self) -> None:
        """Stop the worker after its steps under way, and let go of the others."""
        await self.stop()
        self._subscriptions.clear()
        if self._others is not None:
            await self._others.close()
