"""Making a store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from workflows_core.ports.clock import Clock
from workflows_sqlalchemy.dialects import make_backend
from workflows_sqlalchemy.queries import SQLAlchemyWorkflowQueries
from workflows_sqlalchemy.sessions.transactions import SQLAlchemyTransactions
from workflows_sqlalchemy.sqlite.connections import Synchronous
from workflows_sqlalchemy.store import SQLAlchemyWorkflowStore

__all__ = ["SQLAlchemyStoreConfig", "StoreAndQueries", "create_store"]


class StoreAndQueries(NamedTuple):
    """The two sides of one database."""

    store: SQLAlchemyWorkflowStore
    queries: SQLAlchemyWorkflowQueries


@dataclass(frozen=True, kw_only=True)
class SQLAlchemyStoreConfig:
    """How a store is made."""

    database: str | URL | AsyncEngine
    """A URL, or an engine that the application has anyway; such an engine is not disposed of when the store is closed.

    A URL without a driver gets an asynchronous one: ``sqlite:///workflows.db``, ``postgresql://…``. Prefer a URL on PostgreSQL: the
    store's own connections are set up for what it does. Of an engine for SQLite the store takes only the file; transactional steps use
    the engine itself, on both databases, with whatever it sets up.
    """
    pool_size: int = 10
    """Most connections. A connection is used for one statement or transaction and then given back."""
    engine_options: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of SQLAlchemy's ``create_async_engine``, for a URL of PostgreSQL."""
    pgbouncer: bool = False
    """PostgreSQL only: the URL leads to PgBouncer in transaction mode. No statement is prepared, no session is set up, and hints of
    other processes are not heard: workers look for work more often instead."""
    synchronous: Synchronous = "FULL"
    """SQLite only. ``FULL`` waits for the disk at each commit, so that what was committed survives a power failure; ``NORMAL`` is
    several times faster, and what it committed last survives the death of the process but not always that of the machine."""
    longest_transaction_s: float = 5.0
    """SQLite only. Seconds for which a transactional step may run: nobody else can write meanwhile. A step that takes longer fails."""
    clock: Clock | None = None
    """Tells the time instead of the database, for tests. All stores of one database must be given the same."""

    def create(self) -> StoreAndQueries:
        """Make the store and the queries; connections are made when they are needed.

        Raises:
            StoreUnavailableError: The URL is wrong, or the database is of a kind that is not served.
        """
        backend = make_backend(
            self.database,
            clock=self.clock,
            pool_size=self.pool_size,
            engine_options=self.engine_options,
            pgbouncer=self.pgbouncer,
            synchronous=self.synchronous,
            longest_transaction_s=self.longest_transaction_s,
        )
        transactions = None if backend.sharing is None else SQLAlchemyTransactions(backend.sharing)
        return StoreAndQueries(SQLAlchemyWorkflowStore(backend, transactions), SQLAlchemyWorkflowQueries(backend))


def create_store(database: str | URL | AsyncEngine, **options: Any) -> StoreAndQueries:
    """Make the store and the queries of a database; closing the store gives back what both hold.

    Args:
        database: See `SQLAlchemyStoreConfig.database`.
        options: Other fields of `SQLAlchemyStoreConfig`.
    """
    return SQLAlchemyStoreConfig(database=database, **options).create()
