"""Statements that go straight to asyncpg, over a connection of SQLAlchemy's pool.

What SQLAlchemy does for an execution costs more than the statement that commits a step, so the statements of the hot path leave it
out, and so do queries by key, which each request begins with. Where somebody listens to the statements of the engine (a tracer, say), and with psycopg, they go through SQLAlchemy like all others.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, Final, NamedTuple, TypeAlias

from sqlalchemy import ClauseElement, Connection, PoolProxiedConnection, Select, TextClause, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import greenlet_spawn

from workflows_sqlalchemy.errors import DATABASE_ERRORS
from workflows_sqlalchemy.postgresql.row_types import ROWS, array_literal

__all__ = ["DirectStatements", "Question", "Values", "execute"]

Values: TypeAlias = Sequence[Any]
"""A row of a result; its values have the types that the driver gives."""


class Question(NamedTuple):
    """A statement with its parameters.

    Attributes:
        statement: One of a few that are kept, because it is compiled once.
        parameters: Values by name; rows are a list of tuples.
    """

    statement: TextClause
    parameters: Mapping[str, Any]


_PING: Final = text("SELECT 1")
_SLOW_S: Final = 0.1
"""What takes longer may have a plan from when the tables were small, which the server keeps until it has analyzed them."""
_PLAN_ANEW: Final = "DISCARD PLANS"
_PLANNED_FOR_S: Final = 10.0
"""A connection discards its plans no more often, for what is slow may also be the disk, or somebody else's lock."""
_PLANNED_AT: Final = "workflows_planned_at"


class DirectStatements:
    """Runs statements, each of which commits by itself.

    Args:
        engine: Its connections; none of them is in a transaction.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._dispatch = engine.sync_engine.dispatch
        self._has_asyncpg = engine.dialect.driver == "asyncpg"
        self._compiled: dict[ClauseElement, tuple[str, tuple[str, ...]]] = {}
        self._makers: dict[ClauseElement, Callable[[Values], Any]] = {}

    async def fetch(self, question: Question) -> Sequence[Values]:
        """Run a statement and give all its rows.

        Raises:
            DBAPIError: As SQLAlchemy does; the connection is given up if it is dead.
        """
        if self._is_direct():
            return await self._fetch(question.statement, question.parameters)
        async with self._engine.connect() as connection:
            return await connection.run_sync(execute, question)

    async def select(self, query: Select[*tuple[Any, ...]], values: Mapping[str, Any]) -> Sequence[Any]:
        """Run a query and give all its rows, with the values of its columns as attributes.

        Args:
            query: One of a few that are kept, because it is compiled once.
            values: Its parameters by name, as the driver takes them.

        Raises:
            DBAPIError: As SQLAlchemy does; the connection is given up if it is dead.
        """
        if not self._is_direct():
            async with self._engine.connect() as connection:
                return (await connection.execute(query, values)).all()
        make = self._makers.get(query)
        if make is None:
            make = self._makers[query] = self._maker(query)
        return [make(row) for row in await self._fetch(query, values)]

    def _is_direct(self) -> bool:
        return self._has_asyncpg and not (self._dispatch.before_cursor_execute or self._dispatch.after_cursor_execute)

    def _maker(self, query: Select[*tuple[Any, ...]]) -> Callable[[Values], Any]:
        """What makes a row of the values that the driver gives, by the types of the columns."""
        columns, dialect = query.selected_columns, self._engine.dialect
        names = columns.keys()
        processors = [
            column.type.dialect_impl(dialect).result_processor(dialect, None) or _as_it_is for column in columns
        ]

        def make(values: Values) -> SimpleNamespace:
            return SimpleNamespace(
                **{name: process(value) for name, process, value in zip(names, processors, values, strict=True)}
            )

        return make

    async def _fetch(self, statement: ClauseElement, parameters: Mapping[str, Any]) -> Sequence[Values]:
        compiled = self._compiled.get(statement)
        if compiled is None:
            compiled = self._compiled[statement] = self._compile(statement)
        sql, names = compiled
        pooled = await self._connection()
        driver: Any = pooled.driver_connection
        began = time.monotonic()
        try:
            rows: Sequence[Values] = await driver.fetch(sql, *[parameters[name] for name in names])
            if _should_plan_anew(pooled.info, began):
                with suppress(*DATABASE_ERRORS):  # what was asked for is done
                    await driver.execute(_PLAN_ANEW)
        except Exception as error:
            is_dead = driver.is_closed()
            if is_dead:
                pooled.invalidate(error)
                await self._forget_dead_connections()
            raise DBAPIError(None, None, error, connection_invalidated=is_dead) from error
        except BaseException as error:
            pooled.invalidate(error)  # it was cancelled; what the connection does now is not known
            raise
        finally:
            if pooled.is_valid:
                await greenlet_spawn(pooled.close)
        return rows

    async def _connection(self) -> PoolProxiedConnection:
        """A connection of the pool; what the driver says when none can be made is raised as SQLAlchemy does elsewhere."""
        try:
            return await self._engine.raw_connection()
        except self._engine.dialect.loaded_dbapi.Error as error:
            raise DBAPIError(None, None, error) from error

    def _compile(self, statement: ClauseElement) -> tuple[str, tuple[str, ...]]:
        compiled: Any = statement.compile(dialect=self._engine.dialect)
        return str(compiled), tuple(compiled.positiontup or ())

    async def _forget_dead_connections(self) -> None:
        """Let SQLAlchemy find that a connection is dead: it forgets all that are as old."""
        with suppress(*DATABASE_ERRORS):
            async with self._engine.connect() as connection:
                await connection.execute(_PING)


def _as_it_is(value: Any) -> Any:
    return value


def execute(connection: Connection, question: Question) -> Sequence[Values]:
    """Run a statement through SQLAlchemy; rows for psycopg are written as text, because it does not know their types."""
    statement, parameters = question
    if connection.dialect.driver != "asyncpg":
        parameters = {name: array_literal(value) if name in ROWS else value for name, value in parameters.items()}
    began = time.monotonic()
    rows = connection.execute(statement, parameters).all()
    if _should_plan_anew(connection.info, began):
        connection.exec_driver_sql(_PLAN_ANEW)
    return rows


def _should_plan_anew(info: dict[Any, Any], began: float) -> bool:
    """Whether a statement that began then took so long that its plan may be to blame; notes it in what is known of the connection."""
    now = time.monotonic()
    if now - began <= _SLOW_S or now - info.get(_PLANNED_AT, -math.inf) < _PLANNED_FOR_S:
        return False
    info[_PLANNED_AT] = now
    return True
