"""Hints through SAQ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from saq import Job, Queue

from workflows_core.adapters.broker_executor import BrokerExecutor, Hint

__all__ = ["FUNCTION", "SAQStepExecutor"]

FUNCTION: Final = "workflows.run"
"""Name of the function that SAQ's workers call."""

_TIMEOUT_S: Final = 120
"""Much more than an answer takes. When it is over, SAQ takes its worker for dead, and gives the hint to another one."""
_RETRIES: Final = 3
"""More than one: a sweep at the start of a worker takes a job for stuck that has just been delivered."""
_KEPT_S: Final = 30
"""Seconds for which SAQ remembers a job that is over: a sweep that met it under way asks again what became of it."""


class SAQStepExecutor(BrokerExecutor):
    """Sends hints as jobs of SAQ; `SAQWorkerHost` is the other end.

    A job names the queue and the work item, and nothing else. Its loss, repetition or abortion by SAQ harms nobody.
    """

    def __init__(self, queue: Queue, *, queues: Mapping[str, Queue] | None = None) -> None:
        """Send through queues of SAQ; they stay the application's to connect and to disconnect.

        Args:
            queue: Takes the hints of all queues of work that have none of their own.
            queues: Queues of SAQ by the name of the queue of work, where workers are to serve only some.
        """
        super().__init__()
        self._queue = queue
        self._queues = dict(queues) if queues is not None else {}

    async def send(self, hint: Hint) -> None:
        job = Job(
            function=FUNCTION,
            kwargs={"queue": hint.queue, "work": str(hint.ref)},
            timeout=_TIMEOUT_S,
            retries=_RETRIES,
            ttl=_KEPT_S,
        )
        await self._queues.get(hint.queue, self._queue).enqueue(job)

    async def disconnect(self) -> None:
        """Leave the queues to the application."""
