"""Keeping definitions on PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from workflows_sqlalchemy.tables import definitions

__all__ = ["insert_definitions"]


def insert_definitions(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows of `tables.definitions`, all or none; hashes that are known stay as they are."""
    connection.execute(insert(definitions).on_conflict_do_nothing(index_elements=["hash"]).values(list(rows)))
