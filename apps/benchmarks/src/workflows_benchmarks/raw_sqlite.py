"""SQLite through the driver of the standard library: WAL, ``synchronous=FULL``, a thread for each client."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Final

from workflows_benchmarks.raw import PAYLOAD, RawCommit, RawDatabase

__all__ = ["RawSQLite"]

_INSERT: Final = "INSERT INTO raw_steps (instance, payload) VALUES (?, ?)"
_UPDATE: Final = "UPDATE raw_instances SET step = step + 1, payload = ? WHERE id = ?"


class RawSQLite(RawDatabase):
    """A file. Its clients queue for one lock, which is faster than to let SQLite wait for the file's."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        with self._connected() as connection:
            connection.execute("CREATE TABLE raw_instances (id INTEGER PRIMARY KEY, step INTEGER, payload BLOB)")
            connection.execute("CREATE TABLE raw_steps (id INTEGER PRIMARY KEY, instance INTEGER, payload BLOB)")
            connection.executemany("INSERT INTO raw_instances VALUES (?, 0, NULL)", [(n,) for n in range(1000)])

    async def commits_per_s(self, commit: RawCommit, *, clients: int, seconds: float) -> float:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(clients) as threads:
            began = time.perf_counter()
            arguments = [(commit, client, began + seconds) for client in range(clients)]
            done = await asyncio.gather(*(loop.run_in_executor(threads, self._client, *each) for each in arguments))
            return sum(done) / (time.perf_counter() - began)

    async def commit_times_ms(self, commit: RawCommit, *, times: int) -> list[float]:
        return await asyncio.to_thread(self._times_ms, commit, times)

    async def round_trips_per_s(self, *, seconds: float) -> float:
        return await asyncio.to_thread(self._round_trips_per_s, seconds)

    def _client(self, commit: RawCommit, client: int, deadline: float) -> int:
        done = 0
        with self._connected() as connection:
            while time.perf_counter() < deadline:
                with self._lock:
                    _commit(connection, commit, client)
                done += 1
        return done

    def _times_ms(self, commit: RawCommit, times: int) -> list[float]:
        found: list[float] = []
        with self._connected() as connection:
            for _ in range(times):
                began = time.perf_counter()
                _commit(connection, commit, 0)
                found.append((time.perf_counter() - began) * 1000)
        return found

    def _round_trips_per_s(self, seconds: float) -> float:
        with self._connected() as connection:
            done, began = 0, time.perf_counter()
            while time.perf_counter() - began < seconds:
                connection.execute("SELECT 1").fetchone()
                done += 1
            return done / (time.perf_counter() - began)

    @contextmanager
    def _connected(self) -> Generator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            yield connection
        finally:
            connection.close()


def _commit(connection: sqlite3.Connection, commit: RawCommit, client: int) -> None:
    if commit is RawCommit.INSERT:
        connection.execute(_INSERT, (client, PAYLOAD))
        return
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(_INSERT, (client, PAYLOAD))
    connection.execute(_UPDATE, (PAYLOAD, client))
    connection.execute("COMMIT")
