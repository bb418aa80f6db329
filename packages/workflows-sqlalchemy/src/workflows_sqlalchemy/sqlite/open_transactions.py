"""Transactions on an SQLite file that the running task, or one that it came from, keeps open.

Only one connection writes at a time. Whoever keeps a transaction open and calls the store without giving it his session would wait
for himself; he is told so at once. What is known are the transactions of engines that are watched: that of transactional steps, an
engine that the store was made with, and every engine of which a session was given to the store before.
"""

from __future__ import annotations

from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final
from weakref import WeakSet

from sqlalchemy import Connection, Engine, event

from workflows_core.errors import TransactionOpenError

__all__ = ["note_open", "refuse_to_wait", "watch"]

_KEY: Final = "workflows.open"


class _Open:
    """A transaction that was begun; forgets its connection when it ends."""

    __slots__ = ("driver", "path")

    def __init__(self, path: Path, driver: Any) -> None:
        self.path = path
        self.driver = driver

    @property
    def is_open(self) -> bool:
        """Whether it is in the way of others; one that has only read is not, if the driver begins it with the first write."""
        return self.driver is not None and bool(self.driver.in_transaction)


_begun: Final[ContextVar[tuple[_Open, ...]]] = ContextVar("workflows_sqlite_transactions", default=())
_watched: Final[WeakSet[Engine]] = WeakSet()


def watch(engine: Engine) -> None:
    """Note from now on when transactions of an engine begin and end."""
    if engine not in _watched:
        _watched.add(engine)
        event.listen(engine, "begin", note_open)
        event.listen(engine, "commit", _note_end)
        event.listen(engine, "rollback", _note_end)


def note_open(connection: Connection) -> None:
    """Note that the running task has begun a transaction."""
    database = connection.engine.url.database
    if database is None:
        return
    found = connection.info.get(_KEY)
    if found is None:
        found = connection.info[_KEY] = _Open(Path(database).resolve(), connection.connection.driver_connection)
    _begun.set((*(each for each in _begun.get() if each.driver is not None and each is not found), found))


def _note_end(connection: Connection) -> None:
    found = connection.info.pop(_KEY, None)
    if found is not None:
        found.driver = None


def refuse_to_wait(path: Path) -> None:
    """Refuse what would wait for a transaction of the running task.

    Raises:
        TransactionOpenError: It keeps one open on this file.
    """
    begun = _begun.get()
    if begun and any(each.path == path and each.is_open for each in begun):
        raise TransactionOpenError(str(path))
