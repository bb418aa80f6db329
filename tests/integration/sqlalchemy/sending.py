"""What a store sends to its database, and how the database does it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine

from workflows_sqlalchemy import SQLAlchemyWorkflowQueries, SQLAlchemyWorkflowStore, create_store

__all__ = ["PLAN_ANEW", "SentBy", "statements_of"]

PLAN_ANEW = "DISCARD PLANS"
"""Sent after a statement that took a tenth of a second, as any may on a busy machine: nothing here counts it."""

_NOT_PLANNED = (PLAN_ANEW, "BEGIN", "COMMIT", "EXPLAIN", "PRAGMA", "ROLLBACK")


@contextmanager
def statements_of(store: SQLAlchemyWorkflowStore) -> Iterator[list[str]]:
    """What a store sends meanwhile, each statement in one line."""
    sent: list[str] = []

    def note(_connection: Connection, _cursor: Any, text: str, *_rest: Any) -> None:
        if text != PLAN_ANEW:
            sent.append(" ".join(text.split()))

    engine = store.backend.engine
    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)


class SentBy:
    """A store, with what it sends except for what is about transactions and settings.

    Args:
        engine: Its database.

    Attributes:
        sent: Statements with their parameters, since they were last taken.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.store: SQLAlchemyWorkflowStore
        self.queries: SQLAlchemyWorkflowQueries
        self.store, self.queries = create_store(engine)
        self.sent: list[tuple[str, Any]] = []
        event.listen(self.store.backend.engine, "before_cursor_execute", self._note)

    def _note(self, _connection: Connection, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if not statement.lstrip().startswith(_NOT_PLANNED):
            self.sent.append((statement, parameters[0] if isinstance(parameters, list) else parameters))

    def take(self) -> list[tuple[str, Any]]:
        """What was sent since the last call."""
        sent, self.sent = self.sent, []
        assert sent, "nothing was sent"
        return sent

    async def plan(self, *options: str) -> str:
        """The plans of what was sent since the last call.

        Args:
            options: Of PostgreSQL's EXPLAIN; with ANALYZE all is run once more, and taken back.
        """
        explain = "EXPLAIN QUERY PLAN" if self.engine.dialect.name == "sqlite" else f"EXPLAIN {_in_brackets(options)}"
        lines: list[str] = []
        async with self.engine.connect() as connection:
            for statement, parameters in self.take():
                rows = await connection.exec_driver_sql(f"{explain} {statement}", parameters)
                lines.extend(str(row[-1]) for row in rows)
            await connection.rollback()
        return "\n".join(lines)

    def operations(self) -> int:
        """About how many operations SQLite does for what was sent since the last call."""
        counted = 0

        def count() -> int:
            nonlocal counted
            counted += 10
            return 0

        connection = sqlite3.connect(str(self.engine.url.database))
        connection.set_progress_handler(count, 10)
        for statement, parameters in self.take():
            connection.execute(statement, parameters).fetchall()
        connection.close()
        return counted


def _in_brackets(options: tuple[str, ...]) -> str:
    return f"({', '.join(options)})" if options else ""
