"""Tenants take turns: work that is due at once is found tenant by tenant, apart from work that is due later.

Work that is there already counts as due later: it is claimed in the order of its moments.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from workflows_sqlalchemy.column_types import OrderedText

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_WORK = "workflow_work_items"
_DUE = "worker IS NULL AND due_at IS NOT NULL AND throttle IS NULL"


def _index(name: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, _WORK, columns, postgresql_where=condition, sqlite_where=condition)


def upgrade() -> None:
    comment = "the tenant in whose turn it is done; NULL: it was to be done later"
    op.add_column(_WORK, sa.Column("turn_of", OrderedText(), comment=comment))
    op.drop_index("ix_workflow_work_items_due", _WORK)
    columns = ["queue", "priority", "turn_of", "due_at"]
    _index("ix_workflow_work_items_due", columns, f"{_DUE} AND turn_of IS NOT NULL")
    _index("ix_workflow_work_items_later", ["queue", "priority", "due_at"], f"{_DUE} AND turn_of IS NULL")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TYPE workflow_row_work ADD ATTRIBUTE turn_of text")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TYPE workflow_row_work DROP ATTRIBUTE turn_of")
    for name in ("later", "due"):
        op.drop_index(f"ix_workflow_work_items_{name}", _WORK)
    _index("ix_workflow_work_items_due", ["queue", "priority", "due_at"], _DUE)
    op.drop_column(_WORK, "turn_of")
