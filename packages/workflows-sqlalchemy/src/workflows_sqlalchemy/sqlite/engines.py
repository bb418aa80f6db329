"""The engine in which transactional steps write to an SQLite file."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from workflows_sqlalchemy.sqlite.connections import Synchronous

__all__ = ["make_engine_for_steps"]


def make_engine_for_steps(url: URL, synchronous: Synchronous) -> AsyncEngine:
    """An engine with one connection, since only one at a time writes.

    Args:
        url: The file.
        synchronous: When a commit is durable.
    """
    engine = create_async_engine(url.set(drivername="sqlite+aiosqlite"), pool_size=1, max_overflow=0)

    @event.listens_for(engine.sync_engine, "connect")
    def _set_up(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute(f"PRAGMA synchronous = {synchronous}")
        cursor.close()

    return engine
