"""Rows on their way to PostgreSQL: composite types, so that all rows of a table travel as one array.

An array of composites costs driver and server half of what an array for each column does. The migrations make the types; their fields
are those of the tuples in `workflows_sqlalchemy.rows`, in that order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from workflows_sqlalchemy.rows import (
    DroppedRow,
    ExecutionGoneRow,
    ExecutionRow,
    InstanceRow,
    ScopeRow,
    StartRow,
    TaskChangeRow,
    TaskRow,
    WorkGoneRow,
    WorkRow,
)

__all__ = ["ROWS", "array_literal", "fields_of", "type_name"]

ROWS: Final[dict[str, type]] = {
    "instances": InstanceRow,
    "starts": StartRow,
    "work": WorkRow,
    "work_gone": WorkGoneRow,
    "executions": ExecutionRow,
    "executions_gone": ExecutionGoneRow,
    "tasks": TaskRow,
    "task_changes": TaskChangeRow,
    "scopes": ScopeRow,
    "dropped": DroppedRow,
}
"""The tuples by the name of their list in `Rows`."""

_TYPES: Final = {
    "integer": {"place", "priority", "visit", "attempts"},
    "bigint": {
        *("base_revision", "number", "scope_id", "home", "parent_home", "execution"),
        *("revision", "item", "first", "last", "compensates"),
    },
    "bigint[]": {"held_numbers", "held_fences"},
    "uuid": {"id", "instance_id", "transition_id"},
    "bytea": {"marking", "data", "metadata", "result", "events", "opening"},
    "boolean": {"is_final", "keeps_timeout"},
    "timestamptz": {"started_at", "due_at", "reminder_at"},
    "double precision": {"delay_s", "lease_s", "due_s", "reminder_s", "timeout_s"},
}
_TYPE_OF: Final = {column: name for name, columns in _TYPES.items() for column in columns}


def type_name(name: str) -> str:
    """The composite type of a list of rows."""
    return f"workflow_row_{name}"


def fields_of(name: str) -> dict[str, str]:
    """The fields of that type, with the type of each."""
    columns: Sequence[str] = ROWS[name]._fields  # type: ignore[attr-defined]
    return {column: _TYPE_OF.get(column, "text") for column in columns}


def array_literal(rows: Iterable[Iterable[Any]]) -> str:
    """Rows as the text of an array, for a driver that does not know the types."""
    return "{" + ",".join(_quoted("(" + ",".join(map(_field, row)) + ")") for row in rows) + "}"


def _field(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "t" if value else "f"
        case int() | float():
            return repr(value)
        case bytes():
            return _quoted("\\x" + value.hex())
        case datetime():
            return _quoted(value.isoformat())
        case UUID():
            return str(value)
        case tuple():
            return _quoted("{" + ",".join(map(str, value)) + "}")
        case _:
            return _quoted(value)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
