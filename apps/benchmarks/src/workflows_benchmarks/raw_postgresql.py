"""PostgreSQL through asyncpg: one prepared statement for each commit, in autocommit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from workflows_benchmarks.raw import PAYLOAD, RawCommit, RawDatabase

__all__ = ["RawPostgreSQL", "open_raw_postgresql"]

_TABLES: Final = """
    CREATE TABLE raw_instances (id bigint PRIMARY KEY, step bigint NOT NULL, payload bytea) WITH (fillfactor = 70);
    CREATE TABLE raw_steps (id bigserial PRIMARY KEY, instance bigint NOT NULL, payload bytea);
    INSERT INTO raw_instances SELECT client, 0 FROM generate_series(1, 1000) AS client
"""
_STATEMENTS: Final = {
    RawCommit.INSERT: "INSERT INTO raw_steps (instance, payload) VALUES ($1, $2)",
    RawCommit.ADVANCE: """
        WITH step AS (INSERT INTO raw_steps (instance, payload) VALUES ($1, $2))
        UPDATE raw_instances SET step = step + 1, payload = $2 WHERE id = $1
    """,
}


class RawPostgreSQL(RawDatabase):
    """A server; made by `open_raw_postgresql`. Connections are made before the clock runs, and kept."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connections: list[asyncpg.Connection] = []

    async def commits_per_s(self, commit: RawCommit, *, clients: int, seconds: float) -> float:
        connections = await self._connected(clients)
        statements = [await connection.prepare(_STATEMENTS[commit]) for connection in connections]
        deadline = time.perf_counter() + seconds

        async def client(number: int) -> int:
            statement, done = statements[number], 0
            while time.perf_counter() < deadline:
                await statement.fetchval(number + 1, PAYLOAD)
                done += 1
            return done

        began = time.perf_counter()
        done = sum(await asyncio.gather(*map(client, range(clients))))
        return done / (time.perf_counter() - began)

    async def commit_times_ms(self, commit: RawCommit, *, times: int) -> list[float]:
        statement = await (await self._connected(1))[0].prepare(_STATEMENTS[commit])
        found: list[float] = []
        for _ in range(times):
            began = time.perf_counter()
            await statement.fetchval(1, PAYLOAD)
            found.append((time.perf_counter() - began) * 1000)
        return found

    async def round_trips_per_s(self, *, seconds: float) -> float:
        statement = await (await self._connected(1))[0].prepare("SELECT 1")
        done, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            await statement.fetchval()
            done += 1
        return done / (time.perf_counter() - began)

    async def set_up(self) -> None:
        """Make the tables."""
        connection = (await self._connected(1))[0]
        await connection.execute(_TABLES)

    async def rest(self) -> None:
        while self._connections:
            await self._connections.pop().close()

    async def _connected(self, clients: int) -> list[asyncpg.Connection]:
        while len(self._connections) < clients:
            self._connections.append(await asyncpg.connect(self._url))
        return self._connections[:clients]


@asynccontextmanager
async def open_raw_postgresql(url: str) -> AsyncGenerator[RawPostgreSQL]:
    """Make the tables of the raw loops in an empty database."""
    raw = RawPostgreSQL(url)
    try:
        await raw.set_up()
        yield raw
    finally:
        await raw.rest()
