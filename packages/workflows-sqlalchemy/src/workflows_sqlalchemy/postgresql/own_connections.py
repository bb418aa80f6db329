"""Connections apart from those of the store: for what must not wait for a free one, and for other event loops."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

__all__ = ["with_own_connections"]


def with_own_connections(engine: AsyncEngine) -> AsyncEngine:
    """An engine that connects as another one does, with connections of its own, each statement of which commits by itself.

    It belongs to the event loop in which it is first used, and is disposed of by whoever asked for it.
    """
    apart = create_async_engine(engine.url, pool=engine.sync_engine.pool.recreate())
    return apart.execution_options(isolation_level="AUTOCOMMIT")
