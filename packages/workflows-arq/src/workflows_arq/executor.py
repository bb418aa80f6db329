"""Hints through ARQ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from arq.connections import ArqRedis

from workflows_core.adapters.broker_executor import BrokerExecutor, Hint

__all__ = ["FUNCTION", "ARQStepExecutor"]

FUNCTION: Final = "workflows.run"
"""Name of the function that ARQ's workers call."""


class ARQStepExecutor(BrokerExecutor):
    """Sends hints as jobs of ARQ; `ARQWorkerHost` is the other end.

    A job names the queue and the work item, and nothing else. Its loss, repetition or abortion by ARQ harms nobody.
    """

    def __init__(self, pool: ArqRedis, *, queues: Mapping[str, str] | None = None) -> None:
        """Send through a pool; it stays the application's to close.

        Args:
            pool: Its default queue takes the hints of all queues of work that have none of their own.
            queues: Names of ARQ's queues by the name of the queue of work, where workers are to serve only some.
        """
        super().__init__()
        self._pool = pool
        self._queues = dict(queues) if queues is not None else {}

    async def send(self, hint: Hint) -> None:
        queue = self._queues.get(hint.queue)
        await self._pool.enqueue_job(FUNCTION, queue=hint.queue, work=str(hint.ref), _queue_name=queue)

    async def disconnect(self) -> None:
        """Leave the pool to the application."""
