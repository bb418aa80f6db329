"""The application's own tables, beside those of workflows in the same database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, DateTime, Dialect, MetaData, String, Table, Text
from sqlalchemy.types import TypeDecorator

__all__ = ["accounts", "deliveries", "metadata", "payments", "users"]


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC; SQLite, which keeps no time zone, gives it back as such too."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's
        """Say that it is UTC where the database does not."""
        return value if value is None or value.tzinfo is not None else value.replace(tzinfo=UTC)


metadata = MetaData()

users = Table(
    "demo_users",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("job", String(200), nullable=False),
    Column("manager", String(64)),
    Column("groups", JSON, nullable=False),
    Column("roles", JSON, nullable=False),
    Column("tenant_id", String(64), nullable=False),
    Column("password_hash", String(200), nullable=False),
)


def _record(name: str, *columns: Column[Any]) -> Table:
    """A table of what steps did.

    Its primary key is the key of the step execution: a step that runs again after a crash finds its own row.
    """
    return Table(
        name,
        metadata,
        Column("idempotency_key", String(100), primary_key=True),
        Column("instance_id", String(36), nullable=False, index=True),
        Column("tenant_id", String(64), nullable=False),
        *columns,
        Column("created_at", UtcDateTime, nullable=False),
    )


payments = _record(
    "demo_payments",
    Column("payee", String(64), nullable=False),
    Column("amount_cents", BigInteger, nullable=False),
    Column("purpose", Text, nullable=False),
)

accounts = _record(
    "demo_accounts",
    Column("system", String(64), nullable=False),
    Column("login", String(200), nullable=False),
)

deliveries = _record(
    "demo_deliveries",
    Column("item", String(200), nullable=False),
    Column("recipient", String(200), nullable=False),
    Column("callback_url", Text, nullable=False),
)
