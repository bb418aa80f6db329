"""What went wrong in the database, told by SQLSTATE or SQLite's error name, never by the text of a message."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
    TimeoutError as PoolTimeoutError,
)

from workflows_core.errors import StoreUnavailableError

__all__ = ["DATABASE_ERRORS", "MIGRATE", "Fault", "fault_of", "is_dead_connection", "reason_of", "unavailable"]


def _unwrapped() -> tuple[type[Exception], ...]:
    """What asyncpg raises if a new connection is lost while SQLAlchemy sets it up, which SQLAlchemy does not wrap."""
    try:
        import asyncpg
    except ImportError:
        return ()
    return asyncpg.PostgresError, asyncpg.InterfaceError


_OUTSIDE: Final[tuple[type[Exception], ...]] = (OSError, TimeoutError, *_unwrapped())
DATABASE_ERRORS: Final[tuple[type[Exception], ...]] = (SQLAlchemyError, *_OUTSIDE)
"""What may come out of a driver: connecting fails with an `OSError`, or an error of asyncpg, that SQLAlchemy does not wrap."""

MIGRATE: Final = "bring its schema up to date with `workflows database upgrade`"
_CHECK: Final = "check that the database runs and that its URL is right"
_WAIT: Final = "try again later"
_LOCKED: Final = "another connection keeps the write lock of the file; if it is one of the caller's own, give its session to the engine (`session=…`)"


class Fault(Enum):
    """What kind of error it is, as far as the store acts on it."""

    CONTENTION = auto()
    """Somebody else is in the way; nothing was done, and the same again may succeed."""
    CONNECTION = auto()
    """The connection is lost or cannot be made; what was under way has an unknown outcome."""
    SCHEMA = auto()
    """A table or column is missing, or a right on it."""
    REFUSED = auto()
    """The database refuses these values; the same again will fail again."""
    OTHER = auto()
    """Something else: disk full, out of memory, cancelled by an administrator."""


_BY_SQLSTATE: Final = {
    "40001": Fault.CONTENTION,  # serialization failure
    "40P01": Fault.CONTENTION,  # deadlock detected
    "55P03": Fault.CONTENTION,  # lock not available
    "57P01": Fault.CONNECTION,  # admin shutdown
    "57P02": Fault.CONNECTION,  # crash shutdown
    "57P03": Fault.CONNECTION,  # cannot connect now
    "57P05": Fault.CONNECTION,  # idle session timeout
    "25P03": Fault.CONNECTION,  # idle in transaction session timeout
    "3D000": Fault.CONNECTION,  # the database does not exist
    "3F000": Fault.SCHEMA,  # the schema does not exist
    "42P01": Fault.SCHEMA,  # undefined table
    "42703": Fault.SCHEMA,  # undefined column
    "42704": Fault.SCHEMA,  # undefined object: a type
    "42501": Fault.SCHEMA,  # insufficient privilege
}
_BY_CLASS: Final = {
    "08": Fault.CONNECTION,
    "28": Fault.CONNECTION,  # invalid authorization
    "53": Fault.CONNECTION,  # too many connections, out of memory, disk full
    "21": Fault.REFUSED,
    "22": Fault.REFUSED,
    "23": Fault.REFUSED,
    "54": Fault.REFUSED,  # a limit of the program exceeded
}
_BY_SQLITE_NAME: Final = {
    "SQLITE_BUSY": Fault.CONTENTION,
    "SQLITE_LOCKED": Fault.CONTENTION,
    "SQLITE_CANTOPEN": Fault.CONNECTION,
    "SQLITE_NOTADB": Fault.CONNECTION,
    "SQLITE_READONLY": Fault.CONNECTION,
    "SQLITE_IOERR": Fault.CONNECTION,
    "SQLITE_FULL": Fault.CONNECTION,
    "SQLITE_CONSTRAINT": Fault.REFUSED,
    "SQLITE_TOOBIG": Fault.REFUSED,
    "SQLITE_MISMATCH": Fault.REFUSED,
}
_SQLITE_GENERIC: Final = "SQLITE_ERROR"
"""SQLite has one code for all errors in a statement; ours are fixed and tested, so what they miss is a table or a column."""


def fault_of(error: BaseException | None) -> Fault:
    """What kind of error a driver or SQLAlchemy has raised."""
    driver_error = error.orig if isinstance(error, DBAPIError) else error
    sqlstate = getattr(driver_error, "sqlstate", None)
    if isinstance(sqlstate, str):
        return _BY_SQLSTATE.get(sqlstate) or _BY_CLASS.get(sqlstate[:2]) or Fault.OTHER
    name = getattr(driver_error, "sqlite_errorname", None)
    if isinstance(name, str):
        return _of_sqlite(name)
    without_code = isinstance(error, (InterfaceError, OperationalError, PoolTimeoutError, *_OUTSIDE))
    return Fault.CONNECTION if without_code or is_dead_connection(error) else Fault.OTHER


def is_dead_connection(error: BaseException | None) -> bool:
    """Whether a connection that was open before proved to be dead, so that a new one may work."""
    return isinstance(error, DBAPIError) and error.connection_invalidated


def unavailable(error: BaseException) -> StoreUnavailableError:
    """The error of the port for an error of the database; raise it ``from`` that one."""
    fault = fault_of(error)
    match fault:
        case Fault.CONNECTION:
            return StoreUnavailableError(reason_of(error), _CHECK)
        case Fault.SCHEMA:
            return StoreUnavailableError(reason_of(error), MIGRATE)
        case Fault.CONTENTION:
            return StoreUnavailableError(reason_of(error), _LOCKED if _is_sqlite(error) else _WAIT)
        case _:
            return StoreUnavailableError(reason_of(error), "see the error of the database that caused this one")


def _is_sqlite(error: BaseException) -> bool:
    return isinstance(error, DBAPIError) and hasattr(error.orig, "sqlite_errorname")


def _of_sqlite(name: str) -> Fault:
    if name == _SQLITE_GENERIC:
        return Fault.SCHEMA
    parts = name.split("_")
    return _BY_SQLITE_NAME.get("_".join(parts[:2]), Fault.OTHER)


def reason_of(error: BaseException) -> str:
    """The driver's own words, on one line; they never contain the values of a statement's parameters."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    first_line = str(cause).strip().partition("\n")[0]
    return first_line.removeprefix("(").strip() or type(cause).__name__
