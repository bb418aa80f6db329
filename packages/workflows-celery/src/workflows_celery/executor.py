"""Hints through Celery."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

from celery import Celery

from workflows_core.adapters.broker_executor import BrokerExecutor, Hint

__all__ = ["TASK", "CeleryStepExecutor"]

TASK: Final = "workflows.run"
"""Name of the task that Celery's workers run."""

_SOFT_TIME_LIMIT_S: Final = 300
_TIME_LIMIT_S: Final = 600
"""Much more than an answer takes, in place of limits of the application's that might be less: they would kill the process."""


class _Waiting(NamedTuple):
    """A hint that waits for the thread, and who is told what became of it."""

    hint: Hint
    sent: asyncio.Future[None]


class CeleryStepExecutor(BrokerExecutor):
    """Sends hints as tasks of Celery; `CeleryWorkerHost` is the other end.

    A task names the queue and the work item, and nothing else: no ETA, no retries, no result. Celery's client blocks, so it is called in
    a thread, which sends at each turn all that has gathered.
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
        self._waiting: list[_Waiting] = []
        self._sending: asyncio.Task[None] | None = None

    async def send(self, hint: Hint) -> None:
        loop = asyncio.get_running_loop()
        waiting = _Waiting(hint, loop.create_future())
        self._waiting.append(waiting)
        if self._sending is None or self._sending.done() or self._sending.get_loop() is not loop:
            self._waiting = [waiting]  # whoever waited in an event loop that has ended waits no more
            self._sending = loop.create_task(self._send_waiting())
        await waiting.sent

    async def disconnect(self) -> None:
        """Let the thread end; connections are the application's."""
        self._thread.shutdown(wait=False)

    async def _send_waiting(self) -> None:
        """Let the thread send what has gathered, and what gathers meanwhile; say of each hint what became of it."""
        loop = asyncio.get_running_loop()
        while turn := [waiting for waiting in self._waiting if not waiting.sent.done()]:
            self._waiting = []
            errors = await loop.run_in_executor(self._thread, self._send_each, turn)
            for (_, sent), error in zip(turn, errors, strict=True):
                if sent.done():
                    continue
                if error is None:
                    sent.set_result(None)
                else:
                    sent.set_exception(error)

    def _send_each(self, turn: Sequence[_Waiting]) -> list[Exception | None]:
        """Send hints one after the other, without those that were given up meanwhile; what has prevented each."""
        return [None if waiting.sent.done() else self._try_to_send(waiting.hint) for waiting in turn]

    def _try_to_send(self, hint: Hint) -> Exception | None:
        try:
            self._send(hint)
        except Exception as error:  # noqa: BLE001 - whatever Celery raises, it is told to the one who sends this hint
            return error
        return None

    def _send(self, hint: Hint) -> None:
        named = {"queue": hint.queue, "work": str(hint.ref)}
        with self._app.producer_or_acquire() as producer:
            self._app.send_task(
                TASK,
                kwargs=named,
                argsrepr="()",
                kwargsrepr=repr(named),  # as Celery would make it, in a tenth of the time
                queue=self._queues.get(hint.queue, self._app.conf.task_default_queue),
                producer=producer,
                serializer="json",
                ignore_result=True,
                retry=False,
                add_to_parent=False,
                time_limit=_TIME_LIMIT_S,
                soft_time_limit=_SOFT_TIME_LIMIT_S,
            )
