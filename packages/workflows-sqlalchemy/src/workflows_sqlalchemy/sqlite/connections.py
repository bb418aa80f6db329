"""Threads with connections to an SQLite file: one that writes, a few that read.

A whole transaction is run in its thread, so the event loop is neither stopped by it nor has a part in it: statements follow each other
at once, and the write lock is never kept by somebody who waits for his turn in the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Literal, TypeAlias, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine

from workflows_sqlalchemy.sqlite.direct import command

__all__ = ["SQLiteConnections", "Synchronous"]

T = TypeVar("T")

Synchronous: TypeAlias = Literal["FULL", "NORMAL"]
"""``FULL``: a commit survives a power failure. ``NORMAL``: it survives the death of the process only, and costs no fsync."""

_BUSY_TIMEOUT_S: Final = 5.0


class SQLiteConnections:
    """Connections to one file, each used in one thread.

    Args:
        url: The file, with any driver.
        synchronous: When a commit is durable.
        readers: Most threads that read at once.
    """

    def __init__(self, url: URL, *, synchronous: Synchronous, readers: int) -> None:
        self.engine: Final[Engine] = create_engine(
            url.set(drivername="sqlite+pysqlite"),
            isolation_level="AUTOCOMMIT",
            pool_size=readers + 1,
            max_overflow=0,
            pool_reset_on_return=None,
            connect_args={"timeout": _BUSY_TIMEOUT_S},
        )
        self._synchronous = synchronous
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="workflows-sqlite-writer")
        self._reading = ThreadPoolExecutor(readers, thread_name_prefix="workflows-sqlite-reader")
        self._writer: Connection | None = None
        self._is_closed = False

    async def read(self, work: Callable[[Connection], T], *, snapshot: bool) -> T:
        """Run a function in a reading thread; with ``snapshot`` all its statements see the same moment."""

        def run() -> T:
            with self.engine.connect() as connection:
                return _transaction(connection, "BEGIN", work) if snapshot else work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._reading, run)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run a function in the writing thread, in a transaction that has the write lock of the file from its beginning.

        It goes on to its end although the caller is cancelled.
        """

        def run() -> T:
            return _transaction(self._writing_connection(), "BEGIN IMMEDIATE", work)

        return await asyncio.get_running_loop().run_in_executor(self._writing, run)

    async def close(self) -> None:
        """Finish what is under way, then close all connections."""
        if not self._is_closed:
            self._is_closed = True
            await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._writing.submit(self._forget_writer)
        self._writing.shutdown()
        self._reading.shutdown()
        self.engine.dispose()

    def _forget_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _writing_connection(self) -> Connection:
        if self._writer is not None and not self._writer.invalidated:
            return self._writer
        self._forget_writer()
        connection = self.engine.connect()
        try:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            connection.exec_driver_sql(f"PRAGMA synchronous = {self._synchronous}")
        except BaseException:
            connection.close()
            raise
        self._writer = connection
        return connection


def _transaction(connection: Connection, begin: str, work: Callable[[Connection], T]) -> T:
    command(connection, begin)
    try:
        result = work(connection)
        command(connection, "COMMIT")
    except BaseException:
        if not connection.invalidated:
            driver: Any = connection.connection.driver_connection
            if driver.in_transaction:  # SQLite may have ended it itself
                command(connection, "ROLLBACK")
        raise
    return result
