"""Which databases and drivers are served, and how the store reaches them."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from workflows_core.errors import StoreUnavailableError
from workflows_core.ports.clock import Clock
from workflows_sqlalchemy.backend import Backend
from workflows_sqlalchemy.postgresql.backend import PostgreSQLBackend
from workflows_sqlalchemy.sqlite.backend import SQLiteBackend
from workflows_sqlalchemy.sqlite.connections import Synchronous

__all__ = ["async_url", "make_backend"]

_DRIVERS: Final = {"sqlite": ("aiosqlite",), "postgresql": ("asyncpg", "psycopg")}
_SERVED: Final = "say sqlite+aiosqlite:///path, postgresql+asyncpg://… or postgresql+psycopg://…"

# Plans are made once and kept, possibly from the time when a table was still empty and reading all of it was cheap. For what the
# store asks, an index is never wrong, and nothing takes so long that compiling it would pay.
_SESSION: Final[dict[str, dict[str, Any]]] = {
    "asyncpg": {"server_settings": {"enable_seqscan": "off", "jit": "off", "application_name": "workflows"}},
    "psycopg": {"options": "-c enable_seqscan=off -c jit=off", "application_name": "workflows"},
}
_THROUGH_PGBOUNCER: Final[dict[str, dict[str, Any]]] = {
    "asyncpg": {"statement_cache_size": 0, "prepared_statement_cache_size": 0},
    "psycopg": {"prepare_threshold": None},
}


def async_url(url: str | URL) -> URL:
    """The URL with an asynchronous driver; one that names none gets the first that is installed.

    Raises:
        StoreUnavailableError: It is no URL, or names a database or a driver that is not served.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreUnavailableError("the database URL cannot be read", _SERVED) from error
    dialect, _, driver = parsed.drivername.partition("+")
    drivers: tuple[str, ...] = _DRIVERS.get(dialect, ())
    if driver:
        drivers = (driver,) if driver in drivers else ()
    if not drivers:
        raise StoreUnavailableError(f"databases of the kind {parsed.drivername!r} are not served", _SERVED)
    installed = (name for name in drivers if importlib.util.find_spec(name) is not None)
    return parsed.set(drivername=f"{dialect}+{next(installed, drivers[0])}")


def make_backend(
    database: str | URL | AsyncEngine,
    *,
    clock: Clock | None,
    pool_size: int,
    engine_options: Mapping[str, Any],
    pgbouncer: bool,
    synchronous: Synchronous,
    longest_transaction_s: float,
) -> Backend:
    """What serves a database; see `SQLAlchemyStoreConfig` for the arguments."""
    url = database.url if isinstance(database, AsyncEngine) else async_url(database)
    match url.get_backend_name():
        case "sqlite":
            return SQLiteBackend(
                url,
                clock=clock,
                synchronous=synchronous,
                readers=max(min(pool_size, 8) - 1, 1),
                longest_transaction_s=longest_transaction_s,
                application=database if isinstance(database, AsyncEngine) else None,
            )
        case "postgresql" if isinstance(database, AsyncEngine):
            return PostgreSQLBackend(database, clock=clock, listens=not pgbouncer)
        case "postgresql":
            engine = _make_engine(url, pool_size=pool_size, pgbouncer=pgbouncer, options=engine_options)
            for_steps = partial(
                _make_engine_for_steps, url, pool_size=pool_size, pgbouncer=pgbouncer, options=engine_options
            )
            return PostgreSQLBackend(engine, clock=clock, make_engine_for_steps=for_steps, listens=not pgbouncer)
        case other:
            raise StoreUnavailableError(f"databases of the kind {other!r} are not served", _SERVED)


def _make_engine(url: URL, *, pool_size: int, pgbouncer: bool, options: Mapping[str, Any]) -> AsyncEngine:
    """An engine that costs nothing between statements: no ping before, no reset after; the store bears a dead connection."""
    session = _THROUGH_PGBOUNCER if pgbouncer else _SESSION
    settings: dict[str, Any] = {
        "isolation_level": "AUTOCOMMIT",
        "pool_size": pool_size,
        "max_overflow": 0,
        "pool_reset_on_return": None,
        "pool_use_lifo": True,  # the connection used last has its statements prepared
        **options,
        "connect_args": {**session.get(url.get_driver_name(), {}), **options.get("connect_args", {})},
    }
    return create_async_engine(url, **settings)


def _make_engine_for_steps(url: URL, *, pool_size: int, pgbouncer: bool, options: Mapping[str, Any]) -> AsyncEngine:
    """An engine for the application's own statements: nothing is set up but what every connection needs."""
    session = _THROUGH_PGBOUNCER if pgbouncer else {}
    settings: dict[str, Any] = {
        "pool_size": pool_size,
        "max_overflow": 0,
        "pool_pre_ping": True,  # a step must not fail because the server was restarted
        **{name: value for name, value in options.items() if name != "isolation_level"},
        "connect_args": {**session.get(url.get_driver_name(), {}), **options.get("connect_args", {})},
    }
    return create_async_engine(url, **settings)
