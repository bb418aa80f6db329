"""An executor without a broker: hints wake a worker in the same process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from workflows_core.ports.executor import StepExecutor, WorkRef

if TYPE_CHECKING:
    from workflows_core.engine.worker import Worker

__all__ = ["InProcessExecutor", "NullExecutor"]


class NullExecutor(StepExecutor):
    """Gives no hints: the workers of other processes look into the store themselves."""

    async def publish(self, items: Sequence[WorkRef], *, queue: str, priority: int = 0) -> None:
        """Do nothing."""


class InProcessExecutor(StepExecutor):
    """Runs a worker in the event loop that publishes, and starts it with the first hint.

    The worker ends with `stop`, or is cancelled with its event loop; its work is durable in either case. After another event loop
    was begun (a second ``asyncio.run``, say) the next hint starts a worker there.
    """

    def __init__(self) -> None:
        self._make: Callable[[], Worker] | None = None
        self._worker: Worker | None = None
        self._task: asyncio.Task[None] | None = None

    def bind(self, make_worker: Callable[[], Worker]) -> None:
        """Say how the worker is made; called once, by the wiring."""
        self._make = make_worker

    async def publish(self, items: Sequence[WorkRef], *, queue: str, priority: int = 0) -> None:  # noqa: ARG002
        """Wake the worker."""
        self.ensure_running().wake()

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
