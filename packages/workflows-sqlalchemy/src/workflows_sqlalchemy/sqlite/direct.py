"""Statements that go straight to ``sqlite3``, over a connection of SQLAlchemy's pool.

What SQLAlchemy does for an execution costs many times what SQLite does for it, so the statements of a commit leave it out. Where somebody
listens to the statements of the engine (a tracer, say), and in sessions of the application, they go through SQLAlchemy like all others.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from operator import attrgetter
from typing import Any, Final, NamedTuple, NoReturn, TypeAlias, cast

from sqlalchemy import ClauseElement, Connection, Executable, Insert, LargeBinary
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from workflows_sqlalchemy.column_types import Identity, Moment, SafeText, to_microseconds

__all__ = ["Statement", "Values", "command"]

Values: TypeAlias = Sequence[Any]
"""A row; of a result, its values have the types that the driver gives."""

_DIALECT: Final = SQLiteDialect_pysqlite(paramstyle="qmark")
_bytes_of: Final = attrgetter("bytes")


class _Parameter(NamedTuple):
    """A parameter of a compiled statement: the value at a place of a row, or always the same one."""

    name: str
    place: int | None
    constant: Any
    process: Callable[[Any], Any] | None


class _Compiled(NamedTuple):
    sql: str
    parameters: list[_Parameter]

    def bind(self, row: Values) -> list[Any]:
        """The parameters for a row."""
        values = []
        for _, place, constant, process in self.parameters:
            value = constant if place is None else row[place]
            values.append(value if value is None or process is None else process(value))
        return values


class Statement:
    """A statement that is compiled once, on its first use.

    Its rows are tuples of values that every database takes, as `rows_of` makes them.

    Args:
        statement: What SQLAlchemy would execute.
        names: Of the values of a row, in their order. The statement need not use all; of two with one name it uses the last.
    """

    def __init__(self, statement: Executable, names: Iterable[str]) -> None:
        self._statement = statement
        self._places = {name: place for place, name in enumerate(names)}

    def execute(self, connection: Connection, rows: Sequence[Values]) -> None:
        """Run it for each of these rows, of which there is at least one.

        Raises:
            DBAPIError: As SQLAlchemy does.
        """
        driver = _driver_of(connection)
        if driver is None:
            connection.execute(self._statement, [self._named(row) for row in rows])
            return
        try:
            driver.executemany(self._compiled.sql, map(self._compiled.bind, rows))
        except sqlite3.Error as error:
            _raise(connection, error)

    def fetch(self, connection: Connection, row: Values) -> Sequence[Values]:
        """Run it for one row and give all that it finds.

        Raises:
            DBAPIError: As SQLAlchemy does.
        """
        driver = _driver_of(connection)
        if driver is None:
            return connection.execute(self._statement, self._named(row)).all()
        try:
            return driver.execute(self._compiled.sql, self._compiled.bind(row)).fetchall()
        except sqlite3.Error as error:
            _raise(connection, error)

    def _named(self, row: Values) -> dict[str, Any]:
        """The values that the statement uses, for SQLAlchemy."""
        return {name: row[place] for name, place, _, _ in self._compiled.parameters if place is not None}

    @cached_property
    def _compiled(self) -> _Compiled:
        statement = cast("ClauseElement", self._statement)
        columns = (
            [name for name in self._places if name in statement.table.c] if isinstance(statement, Insert) else None
        )
        compiled = cast("SQLCompiler", statement.compile(dialect=_DIALECT, column_keys=columns))
        parameters = []
        for name in compiled.positiontup or ():
            bound = compiled.binds[name]
            place = self._places[name] if bound.required else None
            constant = None if bound.required else bound.value
            parameters.append(_Parameter(name, place, constant, _processor(bound.type)))
        return _Compiled(compiled.string, parameters)


def command(connection: Connection, sql: str) -> None:
    """Run a statement that has neither parameters nor a result.

    Raises:
        DBAPIError: As SQLAlchemy does.
    """
    driver = _driver_of(connection)
    if driver is None:
        connection.exec_driver_sql(sql)
        return
    try:
        driver.execute(sql)
    except sqlite3.Error as error:
        _raise(connection, error)


def _driver_of(connection: Connection) -> sqlite3.Connection | None:
    """The connection of the driver; None if statements have to go through SQLAlchemy."""
    heard = connection.engine.dispatch
    if connection.dialect.driver != _DIALECT.driver or heard.before_cursor_execute or heard.after_cursor_execute:
        return None
    return cast("sqlite3.Connection", connection.connection.driver_connection)


def _processor(column_type: TypeEngine[Any]) -> Callable[[Any], Any] | None:
    """What makes of a value one for the driver, as SQLAlchemy's processor does, but without its detours."""
    if isinstance(column_type, SafeText | LargeBinary):
        return None
    if isinstance(column_type, Identity):
        return _bytes_of
    if isinstance(column_type, Moment):
        return to_microseconds
    return column_type.dialect_impl(_DIALECT).bind_processor(_DIALECT)


def _raise(connection: Connection, error: sqlite3.Error) -> NoReturn:
    is_dead = connection.dialect.is_disconnect(cast("Any", error), None, None)
    if is_dead:
        connection.invalidate(error)
    raise DBAPIError(None, None, error, connection_invalidated=is_dead) from error
