"""SAQ's worker as a host of workflows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from saq import Queue

from workflows_core.engine.hosting import WorkerHost
from workflows_saq.executor import FUNCTION

__all__ = ["SAQWorkerHost"]


class SAQWorkerHost(WorkerHost):
    """What a worker of SAQ needs to run workflows: one function, and two hooks.

    For a worker that does nothing else, `settings` is all::

        host = SAQWorkerHost(make_engine)
        settings = host.settings(queue)  # saq module.settings

    A worker that has other functions takes `function`, `startup` and `shutdown` among its own.

    An answer to a hint ends when its work has begun, or when a slot is free again, after half a minute at most: SAQ's timeouts never come
    into it. Should SAQ cancel the answer anyhow, the work goes on.
    """

    @property
    def function(self) -> tuple[str, Callable[..., Any]]:
        """The function, by its name."""
        return FUNCTION, self._run

    async def startup(self, _context: Any) -> None:
        """Make the engine; for SAQ's ``startup``."""
        await self.start()

    async def shutdown(self, _context: Any) -> None:
        """Finish or give back what is under way; for SAQ's ``shutdown``."""
        await self.stop()

    def settings(self, queue: Queue, **others: Any) -> dict[str, Any]:
        """Settings of a worker that runs workflows only.

        Args:
            queue: The queue of SAQ that it serves.
            others: Further settings of SAQ.
        """
        return {
            "queue": queue,
            "functions": [self.function],
            "startup": self.startup,
            "shutdown": self.shutdown,
            "concurrency": self.concurrency,
            **others,
        }

    async def _run(self, _context: Any, *, queue: str, work: str) -> bool:  # noqa: ARG002 - it tells people what the hint was about
        return await self.answer(queue)
