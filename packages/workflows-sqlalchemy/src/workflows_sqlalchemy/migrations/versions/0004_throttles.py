"""Work that needs a slot or counts to a rate: found by lanes of its own, apart from all other work."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from workflows_sqlalchemy.column_types import Identity, Moment, SafeText

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_WORK = "workflow_work_items"
_DUE = "worker IS NULL AND due_at IS NOT NULL"
_COLUMNS: tuple[tuple[str, Any, str], ...] = (
    ("throttle", SafeText(), "which work it has to wait with; NULL: it need not wait"),
    ("slot_key", SafeText(), "the slot that it needs"),
    ("slot_limit", sa.Integer(), "how many may be held with that slot"),
    ("rate_key", SafeText(), "the rate that it counts to"),
    ("rate_limit", sa.Integer(), "how many may be taken in that time"),
    ("rate_s", sa.Double(), "seconds of that time"),
    ("admission_key", SafeText(), "the slot that its instance needs"),
    ("admission_limit", sa.Integer(), "how many instances may have that slot"),
)


def _index(name: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, _WORK, columns, postgresql_where=condition, sqlite_where=condition)


def upgrade() -> None:
    for name, kind, comment in _COLUMNS:
        op.add_column(_WORK, sa.Column(name, kind, comment=comment))
    op.drop_index("ix_workflow_work_items_due", _WORK)
    _index("ix_workflow_work_items_due", ["queue", "priority", "due_at"], f"{_DUE} AND throttle IS NULL")
    _index("ix_workflow_work_items_throttled", ["throttle", "due_at"], f"{_DUE} AND throttle IS NOT NULL")
    _index("ix_workflow_work_items_slots", ["slot_key"], "worker IS NOT NULL AND throttle IS NOT NULL")
    op.create_table(
        "workflow_rates",
        sa.Column("key", SafeText(), nullable=False),
        sa.Column("expected_at", Moment(), nullable=False, comment="when the next would come if they came evenly"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_workflow_rates")),
    )
    op.create_table(
        "workflow_slots",
        sa.Column("key", SafeText(), nullable=False),
        sa.Column("instance_id", Identity(), nullable=False, comment="has the slot until it is over"),
        sa.PrimaryKeyConstraint("key", "instance_id", name=op.f("pk_workflow_slots")),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TYPE workflow_row_work ADD ATTRIBUTE throttle text")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TYPE workflow_row_work DROP ATTRIBUTE throttle")
    op.drop_table("workflow_slots")
    op.drop_table("workflow_rates")
    for name in ("slots", "throttled", "due"):
        op.drop_index(f"ix_workflow_work_items_{name}", _WORK)
    _index("ix_workflow_work_items_due", ["queue", "priority", "due_at"], _DUE)
    for name, *_ in reversed(_COLUMNS):
        op.drop_column(_WORK, name)
