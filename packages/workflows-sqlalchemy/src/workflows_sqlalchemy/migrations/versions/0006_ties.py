"""What is due at the same moment stands in order too: a claim of few among many such is found without sorting them all."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_WORK = "workflow_work_items"
_FREE = "worker IS NULL AND due_at IS NOT NULL AND throttle IS NULL"
_INDEXES = {
    "ix_workflow_work_items_due": (["queue", "priority", "turn_of", "due_at"], f"{_FREE} AND turn_of IS NOT NULL"),
    "ix_workflow_work_items_later": (["queue", "priority", "due_at"], f"{_FREE} AND turn_of IS NULL"),
}


def _remake(*, others: list[str]) -> None:
    for name, (columns, where) in _INDEXES.items():
        condition = sa.text(where)
        op.drop_index(name, _WORK)
        op.create_index(name, _WORK, columns + others, postgresql_where=condition, sqlite_where=condition)


def upgrade() -> None:
    _remake(others=["instance_id", "number"])


def downgrade() -> None:
    _remake(others=[])
