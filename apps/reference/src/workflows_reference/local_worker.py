"""The worker inside the server's own process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from workflows_core import InProcessExecutor, Worker, WorkflowEngine
from workflows_core.ports.executor import StepExecutor, WorkRef

__all__ = ["LocalExecutor", "LocalWorker"]

_DRAIN_S: Final = 5.0


class LocalExecutor(StepExecutor):
    """Passes hints on to the worker of this process, if one was started here; workers elsewhere look for themselves."""

    def __init__(self) -> None:
        self.running: InProcessExecutor | None = None

    async def publish(self, items: Sequence[WorkRef], *, queue: str, priority: int = 0) -> None:
        """Wake the worker, if there is one."""
        if self.running is not None:
            await self.running.publish(items, queue=queue, priority=priority)

    async def close(self) -> None:
        """Leave the worker to whoever has started it."""


class LocalWorker:
    """Runs steps in the event loop that serves.

    Args:
        engine: Whose work it does.
        executor: The executor of that engine.
    """

    def __init__(self, engine: WorkflowEngine, executor: LocalExecutor) -> None:
        self._engine = engine
        self._executor = executor

    def start(self) -> None:
        """Begin, if it has not begun."""
        if self._executor.running is None:
            self._executor.running = InProcessExecutor()
            self._executor.running.bind(lambda: Worker(self._engine))
        self._executor.running.ensure_running()

    async def stop(self) -> None:
        """Let the steps under way finish, or give them back to others."""
        running, self._executor.running = self._executor.running, None
        if running is not None:
            await running.stop(drain_s=_DRAIN_S)
