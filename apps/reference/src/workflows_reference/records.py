"""What the steps of the demo leave behind: payments, accounts and orders, each recorded once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Table, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncEngine

from workflows_core import WorkflowContext
from workflows_reference.tables import payments

__all__ = ["Records", "insert_missing"]


class Records:
    """Writes and reads the tables of `workflows_reference.tables`.

    Args:
        engine: The database.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def write(self, table: Table, context: WorkflowContext, values: Mapping[str, Any]) -> bool:
        """Record what a step does, once for each execution of the step, however often its code runs.

        Returns:
            Whether it was recorded now; False if an earlier attempt did it.
        """
        row = {
            "idempotency_key": context.idempotency_key,
            "instance_id": str(context.instance_id),
            "tenant_id": context.tenant_id or "",
            "created_at": datetime.now(UTC),
            **values,
        }
        return bool(await insert_missing(self._engine, table, [row]))

    async def take_back(self, table: Table, idempotency_key: str) -> bool:
        """Remove what an execution of a step recorded.

        Returns:
            Whether it was there; False if it never came to that, or was removed before.
        """
        async with self._engine.begin() as connection:
            removed = await connection.execute(delete(table).where(table.c.idempotency_key == idempotency_key))
        return removed.rowcount > 0

    async def list(self, table: Table, *, tenant: str, instance_id: str | None = None) -> Sequence[dict[str, Any]]:
        """The newest 100 records of a tenant, newest first."""
        statement = select(table).where(table.c.tenant_id == tenant)
        if instance_id is not None:
            statement = statement.where(table.c.instance_id == instance_id)
        statement = statement.order_by(table.c.created_at.desc(), table.c.idempotency_key).limit(100)
        async with self._engine.connect() as connection:
            rows = await connection.execute(statement)
            return [dict(row) for row in rows.mappings()]

    async def paid_cents(self, *, tenant: str) -> int:
        """What a company paid in all, in cents."""
        statement = select(func.coalesce(func.sum(payments.c.amount_cents), 0)).where(payments.c.tenant_id == tenant)
        async with self._engine.connect() as connection:
            return int((await connection.execute(statement)).scalar_one())

    async def was_paid(self, payee: str, amount_cents: int, purpose: str, *, tenant: str) -> bool:
        """Whether the same was paid before."""
        statement = select(payments.c.idempotency_key).where(
            payments.c.tenant_id == tenant,
            payments.c.payee == payee,
            payments.c.amount_cents == amount_cents,
            payments.c.purpose == purpose,
        )
        async with self._engine.connect() as connection:
            return (await connection.execute(statement.limit(1))).first() is not None


async def insert_missing(engine: AsyncEngine, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert the rows whose primary key is not there yet; the others stay as they are.

    Returns:
        How many were inserted.
    """
    dialect = postgresql if engine.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).values(rows).on_conflict_do_nothing(index_elements=list(table.primary_key))
    async with engine.begin() as connection:
        return (await connection.execute(statement)).rowcount
