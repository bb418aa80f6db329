"""Makes finished instances by SQL: copies of one that the engine ran, each with all of its rows."""

from __future__ import annotations

import time
from typing import Final
from uuid import UUID

import asyncpg

__all__ = ["multiply"]

_AT_ONCE: Final = 50_000

_COLUMNS: Final = """
    SELECT table_name, column_name, data_type, column_default LIKE 'nextval%' OR is_identity = 'YES' AS is_numbered
    FROM information_schema.columns
    WHERE table_schema = current_schema() AND table_name LIKE 'workflow\\_%'
    ORDER BY table_name, ordinal_position
"""

# As the engine's own: the time comes first, so that they are in order, then what makes them unique.
_NEW_ID: Final = """
    (lpad(to_hex($3::bigint + n), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid
"""


async def multiply(database: asyncpg.Connection, instance_id: UUID, copies: int) -> None:
    """Copy a finished instance; the copies are older by a millisecond each. In the end all tables are vacuumed and analysed.

    What is copied is read from the schema, so that a table or a column that is new is copied too.
    """
    statements = await _statements(database)
    first_ms = int(time.time() * 1000) - copies
    for start in range(0, copies, _AT_ONCE):
        end = min(start + _AT_ONCE, copies) - 1
        for statement in statements:
            await database.execute(statement, start, end, first_ms, instance_id, copies)
    await database.execute("VACUUM ANALYZE")
    await database.execute("CHECKPOINT")


async def _statements(database: asyncpg.Connection) -> list[str]:
    tables: dict[str, dict[str, str]] = {}
    for table, column, kind, is_numbered in await database.fetch(_COLUMNS):
        if not is_numbered:
            tables.setdefault(table, {})[column] = kind
    keys = {table: "id" if table == "workflow_instances" else "instance_id" for table in tables}
    return [_statement(table, keys[table], columns) for table, columns in tables.items() if keys[table] in columns]


def _statement(table: str, key: str, columns: dict[str, str]) -> str:
    values = {column: _value(column, kind) for column, kind in columns.items()} | {key: _NEW_ID}
    return f"""
        INSERT INTO {table} ({", ".join(values)})
        SELECT {", ".join(values.values())}
        FROM {table} AS original CROSS JOIN generate_series($1::bigint, $2::bigint) AS n
        WHERE original.{key} = $4::uuid AND $5::bigint > 0
    """


def _value(column: str, kind: str) -> str:
    if kind.startswith("timestamp"):
        return f"original.{column} - ($5::bigint - n) * interval '1 millisecond'"
    return f"original.{column}"
