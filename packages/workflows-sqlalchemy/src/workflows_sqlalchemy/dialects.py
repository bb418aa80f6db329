"""Which databases and drivers are served, and how their engines are made."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from workflows_core.errors import StoreUnavailableError
from workflows_core.ports.clock import Clock
from workflows_sqlalchemy.backend import Backend
from workflows_sqlalchemy.postgresql.backend import PostgreSQLBackend
from workflows_sqlalchemy.sqlite.backend import SQLiteBackend, Synchronous

__all__ = ["async_url", "make_backend", "make_engine"]

_DRIVERS: Final = {"sqlite": ("aiosqlite",), "postgresql": ("asyncpg", "psycopg")}
_CONNECT_ARGS: Final[dict[str, dict[str, Any]]] = {
    # Plans are made once and kept, possibly from the time when a table was still empty and reading all of it was cheap. For what
    # the store asks, an index is never wrong.
    "asyncpg": {"server_settings": {"enable_seqscan": "off", "application_name": "workflows"}},
    "psycopg": {"options": "-c enable_seqscan=off", "application_name": "workflows"},
}
_SERVED: Final = "say sqlite+aiosqlite:///path, postgresql+asyncpg://… or postgresql+psycopg://…"


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


def make_engine(url: str | URL, *, pool_size: int, options: Mapping[str, Any]) -> AsyncEngine:
    """An engine that costs nothing between statements: no ping before, no reset after; the store bears a dead connection.

    Args:
        url: Where the database is.
        pool_size: Most connections.
        options: Further arguments of ``create_async_engine``; they win.
    """
    parsed = async_url(url)
    settings: dict[str, Any] = {"isolation_level": "AUTOCOMMIT"}
    if parsed.get_backend_name() == "postgresql" or parsed.database not in (None, "", ":memory:"):
        settings |= {"pool_size": pool_size, "max_overflow": 0, "pool_timeout": 30.0, "pool_reset_on_return": None}
    settings["connect_args"] = _CONNECT_ARGS.get(parsed.get_driver_name(), {})
    return create_async_engine(parsed, **{**settings, **options})


def make_backend(engine: AsyncEngine, *, clock: Clock | None, owns_engine: bool, synchronous: Synchronous) -> Backend:
    """What serves the database of an engine."""
    match engine.dialect.name:
        case "postgresql":
            return PostgreSQLBackend(engine, clock=clock, owns_engine=owns_engine)
        case "sqlite":
            return SQLiteBackend(engine, clock=clock, owns_engine=owns_engine, synchronous=synchronous)
        case other:
            raise StoreUnavailableError(f"databases of the kind {other!r} are not served", _SERVED)
