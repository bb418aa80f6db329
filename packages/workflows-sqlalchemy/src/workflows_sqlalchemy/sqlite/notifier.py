"""Hints on SQLite: whoever writes to the file wakes the workers of all processes that use it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import URL, NullPool, create_engine

from workflows_core.adapters.subscriptions import Subscriptions
from workflows_core.ports.executor import StepExecutor, WorkRef
from workflows_core.ports.wake_ups import WakeUps

__all__ = ["SQLiteNotifier"]

_SHORTEST_PAUSE_S: Final = 0.02
_LONGEST_PAUSE_S: Final = 0.1
_FACTOR: Final = 1.2
_AFTER_AN_ERROR_S: Final = 1.0


class SQLiteNotifier(StepExecutor, WakeUps):
    """Looks at the file's change counter in a thread, often while it changes and ten times a second while it does not.

    That is a read of shared memory: it takes no lock that somebody else could want. Made by `SQLAlchemyWorkflowStore.notifier`; `close` it
    before the store.

    Args:
        url: The file.
    """

    def __init__(self, url: URL) -> None:
        self._engine = create_engine(url.set(drivername="sqlite+pysqlite"), poolclass=NullPool)
        self._subscriptions = Subscriptions()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_watching = False

    async def publish(self, items: Sequence[WorkRef], *, queue: str, priority: int = 0) -> None:  # noqa: ARG002
        if items:
            self._subscriptions.wake((queue,))

    def subscribe(self, wake: Callable[[], None], *, queues: frozenset[str] | None = None) -> Callable[[], None]:
        end = self._subscriptions.add(wake, queues)
        if self._thread is None and not self._stop.is_set():
            self._thread = threading.Thread(target=self._watch, name="workflows-sqlite-notifier", daemon=True)
            self._thread.start()
        return end

    @property
    def is_proven(self) -> bool:
        return self._is_watching

    async def close(self) -> None:
        self._stop.set()
        self._subscriptions.clear()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(2 * _LONGEST_PAUSE_S)

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                self._look()
            except Exception:  # noqa: BLE001 - whatever it is, workers look for themselves meanwhile
                self._is_watching = False
                self._stop.wait(_AFTER_AN_ERROR_S)
        self._is_watching = False

    def _look(self) -> None:
        pause_s, last = _SHORTEST_PAUSE_S, None
        with self._engine.connect() as connection:
            cursor: Any = connection.connection.cursor()
            while True:
                version = cursor.execute("PRAGMA data_version").fetchone()
                if version != last:
                    self._subscriptions.wake(None)
                    pause_s, last = _SHORTEST_PAUSE_S, version
                    self._is_watching = True
                if self._stop.wait(pause_s):
                    return
                pause_s = min(pause_s * _FACTOR, _LONGEST_PAUSE_S)
