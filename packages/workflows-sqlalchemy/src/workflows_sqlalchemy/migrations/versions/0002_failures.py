"""Phases, parked instances, time limits of work, and what compensations undid."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from workflows_sqlalchemy.column_types import Moment

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_PHASE = "phase IN ('normal', 'canceling', 'compensating')"
_PARKED = "parked IN ('dead_letter', 'compensation')"


def upgrade() -> None:
    # SQLite takes the check of a new column only together with the column.
    phase = f"phase TEXT DEFAULT 'normal' NOT NULL CONSTRAINT ck_workflow_instances_phase CHECK ({_PHASE})"
    parked = f"parked TEXT CONSTRAINT ck_workflow_instances_parked CHECK ({_PARKED})"
    op.execute(f"ALTER TABLE workflow_instances ADD COLUMN {phase}")
    op.execute(f"ALTER TABLE workflow_instances ADD COLUMN {parked}")
    if op.get_context().dialect.name == "postgresql":
        op.execute("COMMENT ON COLUMN workflow_instances.parked IS 'why it waits for an operator'")
    op.create_index(
        "ix_workflow_instances_parked",
        "workflow_instances",
        ["started_at", "id"],
        postgresql_where=sa.text("parked IS NOT NULL"),
        sqlite_where=sa.text("parked IS NOT NULL"),
    )
    timeout = "from when on it is claimed, due and held or not, to be ended; NULL: never"
    crashes = "claims since it was written whose lease ended"
    op.add_column("workflow_work_items", sa.Column("timeout_at", Moment(), comment=timeout))
    op.add_column(
        "workflow_work_items", sa.Column("crashes", sa.Integer(), server_default="0", nullable=False, comment=crashes)
    )
    op.create_index(
        "ix_workflow_work_items_timeout",
        "workflow_work_items",
        ["timeout_at"],
        postgresql_where=sa.text("timeout_at IS NOT NULL"),
        sqlite_where=sa.text("timeout_at IS NOT NULL"),
    )
    undid = sa.Column(
        "compensates", sa.BigInteger(), server_default="0", nullable=False, comment="the execution that it undid"
    )
    op.add_column("workflow_step_executions", undid)


def downgrade() -> None:
    op.drop_column("workflow_step_executions", "compensates")
    op.drop_index("ix_workflow_work_items_timeout", "workflow_work_items")
    op.drop_column("workflow_work_items", "crashes")
    op.drop_column("workflow_work_items", "timeout_at")
    op.drop_index("ix_workflow_instances_parked", "workflow_instances")
    with op.batch_alter_table("workflow_instances") as table:
        table.drop_constraint(op.f("ck_workflow_instances_parked"), type_="check")
        table.drop_constraint(op.f("ck_workflow_instances_phase"), type_="check")
        table.drop_column("parked")
        table.drop_column("phase")
