"""On PostgreSQL: composite types, in arrays of which the rows of a commit travel."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ROW_TYPES = {
    "workflow_row_instances": """
        place integer, instance_id uuid, base_revision bigint, status text, current_step text, transition_id uuid,
        marking bytea, data bytea, error text, is_final boolean, phase text, parked text, held_numbers bigint[],
        held_fences bigint[], held_worker text, actor text, events bytea
    """,
    "workflow_row_starts": """
        place integer, tenant_id text, workflow_name text, workflow_version text, graph_hash text, metadata bytea,
        created_by text, started_at timestamptz, start_key text, start_digest text
    """,
    "workflow_row_work": """
        place integer, instance_id uuid, number bigint, kind text, step_name text, scope_id bigint, home bigint,
        execution bigint, queue text, priority integer, delay_s double precision, due_at timestamptz, revision bigint,
        worker text, lease_s double precision, timeout_s double precision, keeps_timeout boolean
    """,
    "workflow_row_work_gone": """
        place integer, instance_id uuid, number bigint
    """,
    "workflow_row_executions": """
        place integer, instance_id uuid, number bigint, step_name text, step_type text, status text, scope_id bigint,
        item bigint, visit integer, attempts integer, started_at timestamptz, result bytea, error text,
        completed_by text, compensates bigint
    """,
    "workflow_row_executions_gone": """
        place integer, instance_id uuid, number bigint
    """,
    "workflow_row_tasks": """
        place integer, id uuid, instance_id uuid, workflow_name text, workflow_version text, tenant_id text,
        execution bigint, step_name text, title text, status text, assignee_id text, candidates text,
        priority integer, due_s double precision, due_at timestamptz, reminder_s double precision,
        reminder_at timestamptz, completed_by text, comment text, opening bytea
    """,
    "workflow_row_task_changes": """
        place integer, id uuid, status text, assignee_id text, completed_by text, comment text
    """,
    "workflow_row_scopes": """
        place integer, instance_id uuid, home bigint, scope_id bigint, parent_home bigint, marking bytea, data bytea,
        result bytea
    """,
    "workflow_row_dropped": """
        place integer, instance_id uuid, first bigint, last bigint
    """,
}


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for name, fields in ROW_TYPES.items():
            op.execute(f"CREATE TYPE {name} AS ({fields})")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for name in ROW_TYPES:
            op.execute(f"DROP TYPE {name}")
