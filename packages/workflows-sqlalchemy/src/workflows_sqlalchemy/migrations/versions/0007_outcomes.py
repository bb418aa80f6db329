"""Each transition keeps its identity: whoever lost the answer to a commit finds its outcome, also when others have gone on since."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from workflows_sqlalchemy.column_types import Identity

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    comment = "identity of the transition; NULL: from before it was kept"
    op.add_column("workflow_events", sa.Column("transition_id", Identity(), comment=comment))
    op.drop_column("workflow_instances", "transition_id")


def downgrade() -> None:
    none = (
        "X'00000000000000000000000000000000'"
        if op.get_bind().dialect.name == "sqlite"
        else "'00000000-0000-0000-0000-000000000000'"
    )
    comment = "identity of the last transition"
    column: sa.Column[Any] = sa.Column(
        "transition_id", Identity(), nullable=False, server_default=sa.text(none), comment=comment
    )
    op.add_column("workflow_instances", column)
    op.drop_column("workflow_events", "transition_id")
