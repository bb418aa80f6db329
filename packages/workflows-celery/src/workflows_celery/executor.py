"""Hints through Celery."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from celery import Celery

from workflows_core.adapters.broker_executor import BrokerExecutor, Hint

__all__ = ["TASK", "CeleryStepExecutor"]

TASK: Final = "workflows.run"
"""Name of the task that Celery's workers run."""

_SOFT_TIME_LIMIT_S: Final = 300
_TIME_LIMIT_S: Final = 600
"""Much more than an answer takes, in place of limits of the application's that might be less: they would kill the process."""


class CeleryStepExecutor(BrokerExecutor):
    """Sends hints as tasks of Celery; `CeleryWorkerHost` is the other end.

    A task names the queue and the work item, and nothing else: no ETA, no retries, no result. Celery's client blocks, so it is called in
    a thread.
    """

    def __init__(self, app: Celery, *, queues: Mapping[str, str] | None = None) -> None:
        """Send through an application of Celery.

        Args:
            app: Its default queue takes the hints of all queues of work that have none of their own.
            queues: Names of Celery's queues by the name of the queue of work, where workers are to serve only some.
        """
        super().__init__()
        self._app = app
        self._queues = dict(queues) if queues is not None else {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="workflows-celery")

    async def send(self, hint: Hint) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._send, hint)

    async def disconnect(self) -> None:
        """Let the thread end; connections are the application's."""
        self._thread.shutdown(wait=False)

    def _send(self, hint: Hint) -> None:
        with self._app.producer_or_acquire() as producer:
            self._app.send_task(
                TASK,
                kwargs={"queue": hint.queue, "work": str(hint.ref)},
                queue=self._queues.get(hint.queue, self._app.conf.task_default_queue),
                producer=producer,
                serializer="json",
                ignore_result=True,
                retry=False,
                add_to_parent=False,
                time_limit=_TIME_LIMIT_S,
                soft_time_limit=_SOFT_TIME_LIMIT_S,
            )
