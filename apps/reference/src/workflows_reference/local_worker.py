"""The worker inside the server's own process."""

from __future__ import annotations

import asyncio
from typing import Final

from workflows_core import Worker, WorkflowEngine

__all__ = ["LocalWorker"]

_DRAIN_S: Final = 5.0


class LocalWorker:
    """Runs steps in the event loop that serves.

    Args:
        engine: Whose work it does.
    """

    def __init__(self, engine: WorkflowEngine) -> None:
        self._engine = engine
        self._worker: Worker | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, *, concurrency: int) -> None:
        """Begin; to be called once."""
        self._worker = Worker(self._engine, concurrency=concurrency)
        self._task = asyncio.create_task(self._worker.run(), name=f"workflows-worker-{self._worker.id}")

    async def stop(self) -> None:
        """Let the steps under way finish, or give them back to others. Nothing happens if it does not run."""
        worker, task = self._worker, self._task
        self._worker = self._task = None
        if worker is not None and task is not None:
            await worker.stop(drain_s=_DRAIN_S)
            await task
