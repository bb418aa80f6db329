"""Hints through Celery."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
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

_TURN_S: Final = 0.05
"""After so many seconds those whose hints were sent are told, also if more wait."""


class _Waiting(NamedTuple):
    """A hint that waits for the thread, and who is told what became of it."""

    hint: Hint
    sent: asyncio.Future[None]


class _Outcome(NamedTuple):
    """Who is told, and what has prevented that the hint was sent."""

    sent: asyncio.Future[None]
    error: Exception | None


class CeleryStepExecutor(BrokerExecutor):
    """Sends hints as tasks of Celery; `CeleryWorkerHost` is the other end.

    A task names the queue and the work item, and nothing else: no ETA, no retries, no result. Celery's client blocks, so it is called in
    a thread, which sends at each turn what has gathered.
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
        self._waiting: deque[_Waiting] = deque()
        self._is_sending = False
        self._lock = threading.Lock()

    async def send(self, hint: Hint) -> None:
        waiting = _Waiting(hint, asyncio.get_running_loop().create_future())
        with self._lock:
            if not self._is_sending:
                self._thread.submit(self._send_waiting)
                self._is_sending = True
            self._waiting.append(waiting)
        await waiting.sent

    async def disconnect(self) -> None:
        """Let the thread end; connections are the application's."""
        self._thread.shutdown(wait=False)

    def _send_waiting(self) -> None:
        """In the thread: send what has gathered, and what gathers meanwhile; say after each turn what became of it."""
        while self._has_more():
            outcomes: list[_Outcome] = []
            ends = time.monotonic() + _TURN_S
            while self._waiting and time.monotonic() < ends:
                hint, sent = self._waiting.popleft()
                if not sent.done():  # it was not given up
                    outcomes.append(_Outcome(sent, self._try_to_send(hint)))
            for loop in {outcome.sent.get_loop() for outcome in outcomes}:
                with contextlib.suppress(RuntimeError):  # it is closed: nobody waits any more
                    loop.call_soon_threadsafe(_tell, loop, outcomes)

    def _has_more(self) -> bool:
        with self._lock:
            self._is_sending = bool(self._waiting)
            return self._is_sending

    def _try_to_send(self, hint: Hint) -> Exception | None:
        try:
            self._send(hint)
        except Exception as error:  # noqa: BLE001 - whatever Celery raises, it is told to the one who sends this hint
            return error
        return None

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


def _tell(loop: asyncio.AbstractEventLoop, outcomes: Iterable[_Outcome]) -> None:
    """In an event loop: tell those who wait in it."""
    for sent, error in outcomes:
        if sent.get_loop() is loop and not sent.done():
            if error is None:
                sent.set_result(None)
            else:
                sent.set_exception(error)
