"""Where a benchmark happens: fresh databases of one kind, durable as in production, and the raw database beside them."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final, Protocol

import asyncpg

from workflows_benchmarks.raw import RawDatabase
from workflows_benchmarks.raw_postgresql import open_raw_postgresql
from workflows_benchmarks.raw_sqlite import RawSQLite
from workflows_sqlalchemy.schema import upgrade
from workflows_testing.servers import PostgresServer, postgres
from workflows_testing.servers.databases import DatabaseTemplate, PostgresDatabase

__all__ = ["STORES", "Place", "connect", "open_place"]

STORES: Final = ("memory", "sqlite", "postgresql")


class FreshDatabase(Protocol):
    """Makes a database and erases it in the end."""

    def __call__(self, *, empty: bool = False) -> AbstractAsyncContextManager[str | None]:
        """The URL of a new database; None in memory.

        Args:
            empty: Leave out the tables of workflows; the URL then names no driver.
        """


@dataclass(frozen=True, slots=True)
class Place:
    """A kind of store, ready for use.

    Attributes:
        store: ``memory``, ``sqlite`` or ``postgresql``.
        database: Makes a fresh database.
        raw: The same kind of database through its driver; None in memory.
        notes: What a reader must know.
    """

    store: str
    database: FreshDatabase
    raw: RawDatabase | None = None
    notes: tuple[str, ...] = ()


@asynccontextmanager
async def connect(url: str | None) -> AsyncGenerator[asyncpg.Connection]:
    """A connection of the driver itself to a database of PostgreSQL."""
    assert url is not None
    connection = await asyncpg.connect(url.replace("+asyncpg", "", 1))
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def open_place(store: str) -> AsyncGenerator[Place]:
    """Set up a kind of store: ``memory``, ``sqlite`` or ``postgresql``."""
    openers = {"memory": _memory, "sqlite": _sqlite, "postgresql": _postgresql}
    async with openers[store]() as place:
        yield place


@asynccontextmanager
async def _memory() -> AsyncGenerator[Place]:
    @asynccontextmanager
    async def nothing(*, empty: bool = False) -> AsyncGenerator[None]:  # noqa: ARG001 - there is nothing to leave out
        yield None

    yield Place("memory", nothing)


@asynccontextmanager
async def _sqlite() -> AsyncGenerator[Place]:
    with tempfile.TemporaryDirectory(prefix="workflows-bench-") as name:
        folder, numbers = Path(name), count(1)
        migrated = folder / "migrated.db"
        await upgrade(f"sqlite+aiosqlite:///{migrated}")

        @asynccontextmanager
        async def file(*, empty: bool = False) -> AsyncGenerator[str]:
            path = folder / f"workflows-{next(numbers)}.db"
            if not empty:
                shutil.copy(migrated, path)
            yield f"sqlite:///{path}" if empty else f"sqlite+aiosqlite:///{path}"

        yield Place("sqlite", file, RawSQLite(folder / "raw.db"), ("SQLite: WAL, synchronous=FULL",))


@asynccontextmanager
async def _postgresql() -> AsyncGenerator[Place]:
    with postgres(durable=True) as server:
        note = await _describe(server)
        nothing, migrated = DatabaseTemplate(server, lambda _database: None), DatabaseTemplate(server, _migrate)
        try:
            with nothing.database() as beside:
                async with open_raw_postgresql(beside.url) as raw:
                    yield Place("postgresql", partial(_copy, nothing, migrated), raw, (note,))
        finally:
            nothing.close()
            migrated.close()


@asynccontextmanager
async def _copy(nothing: DatabaseTemplate, migrated: DatabaseTemplate, *, empty: bool = False) -> AsyncGenerator[str]:
    copying = (nothing if empty else migrated).database()
    database = await asyncio.to_thread(copying.__enter__)
    try:
        yield database.url if empty else database.url_for("asyncpg")
    finally:
        copying.__exit__(None, None, None)


def _migrate(database: PostgresDatabase) -> None:
    asyncio.run(upgrade(database.url_for("asyncpg")))


async def _describe(server: PostgresServer) -> str:
    """What the server itself says of its durability: one from the environment keeps its own settings."""
    async with connect(server.url) as connection:
        version, fsync, waits = [
            await connection.fetchval(f"SHOW {name}") for name in ("server_version", "fsync", "synchronous_commit")
        ]
    return f"PostgreSQL {version.split()[0]} ({server.source}): fsync {fsync}, synchronous_commit {waits}"
