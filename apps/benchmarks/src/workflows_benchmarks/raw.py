"""The bare database: how many commits it makes, with nothing of ours in between.

One "workflow" of the raw loop is five inserts, each in a transaction of its own, sent by the driver: the least that a durable
five-step workflow could cost without batching.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path

import asyncpg

__all__ = ["RawFigures", "raw_postgresql", "raw_sqlite"]

_PAYLOAD = b"x" * 200
_CONCURRENCIES = (1, 8, 32)


class RawFigures:
    """Commits per second of a bare loop.

    Attributes:
        alone: One client.
        best: The best of several concurrencies.
    """

    __slots__ = ("alone", "best")

    def __init__(self, alone: float, best: float) -> None:
        self.alone = alone
        self.best = best


async def raw_postgresql(url: str, *, seconds: float) -> RawFigures:
    """Measure a PostgreSQL server with asyncpg."""
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE IF NOT EXISTS raw_commits (id bigserial PRIMARY KEY, payload bytea)")
    await connection.close()
    found = [await _commits_per_second(url, clients, seconds) for clients in _CONCURRENCIES]
    return RawFigures(found[0], max(found))


async def _commits_per_second(url: str, clients: int, seconds: float) -> float:
    connections = [await asyncpg.connect(url) for _ in range(clients)]
    try:
        deadline = time.perf_counter() + seconds

        async def client(connection: asyncpg.Connection) -> int:
            done = 0
            while time.perf_counter() < deadline:
                await connection.execute("INSERT INTO raw_commits (payload) VALUES ($1)", _PAYLOAD)
                done += 1
            return done

        began = time.perf_counter()
        done = sum(await asyncio.gather(*map(client, connections)))
        return done / (time.perf_counter() - began)
    finally:
        for connection in connections:
            await connection.close()


async def raw_sqlite(path: Path, *, seconds: float) -> RawFigures:
    """Measure a SQLite file with the standard library's driver, in WAL mode with ``synchronous=FULL``."""
    rate = await asyncio.to_thread(_sqlite_commits_per_second, path, seconds)
    return RawFigures(rate, rate)


def _sqlite_commits_per_second(path: Path, seconds: float) -> float:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE IF NOT EXISTS raw_commits (id INTEGER PRIMARY KEY, payload BLOB)")
        done, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO raw_commits (payload) VALUES (?)", (_PAYLOAD,))
            connection.execute("COMMIT")
            done += 1
        return done / (time.perf_counter() - began)
    finally:
        connection.close()
