"""Rows by the thousand, which the database itself makes: what their statements are put together from."""

from __future__ import annotations

from workflows_sqlalchemy.encoding import encode_data, encode_marking
from workflows_testing.builders import an_instance

__all__ = ["INSTANCES", "blob", "filling"]

INSTANCES = """
INSERT INTO workflow_instances (
    id, tenant_id, workflow_name, workflow_version, graph_hash, status, revision, marking, data, started_at, updated_at
)
SELECT {id}, '', 'order', '1.0.0', 'hash', 'running', 1, {marking}, {data}, {past}, {past} FROM {numbers};
"""
"""An instance for each number."""


def filling(template: str, dialect: str, rows: int, **words: object) -> list[str]:
    """Statements in the language of a database.

    Args:
        template: Statements with words in braces: those of ``words``; ``numbers`` (a table of ``n``, from 1 on), ``id`` (an identity of each
            ``n``), ``past`` and ``future`` (a moment of each, later ones for higher numbers), ``marking`` and ``data`` (those of an instance
            that has just started), ``nobody`` (an empty list of texts).
        dialect: SQLAlchemy's name for the database.
        rows: How many numbers there are.
        words: What stands for other words.
    """
    chosen = _words(dialect, rows) | words
    return [statement for statement in template.format(**chosen).split(";") if statement.strip()]


def blob(dialect: str, value: bytes) -> str:
    """Bytes as they are written in a statement."""
    return f"x'{value.hex()}'" if dialect == "sqlite" else f"decode('{value.hex()}', 'hex')"


def _words(dialect: str, rows: int) -> dict[str, object]:
    run = an_instance().start().transition.state
    both = {"marking": blob(dialect, encode_marking(run)), "data": blob(dialect, encode_data({}))}
    if dialect == "sqlite":
        start = 1_700_000_000_000_000
        return {
            "numbers": f"(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {rows}) SELECT n FROM s) s",
            "id": "CAST(printf('%016d', n) AS BLOB)",
            "past": f"{start} + n * 1000000",
            "future": f"{start} * 2 + n * 1000000",
            "nobody": "'[]'",
            **both,
        }
    return {
        "numbers": f"generate_series(1, {rows}) n",
        "id": "CAST(lpad(CAST(n AS text), 32, '0') AS uuid)",
        "past": "TIMESTAMPTZ '2026-01-01Z' + n * INTERVAL '1 second'",
        "future": "TIMESTAMPTZ '2099-01-01Z' + n * INTERVAL '1 second'",
        "nobody": "'{}'",
        **both,
    }
