"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from workflows_sqlalchemy.column_types import Identity, Moment, SafeText, Serial, TextList

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "workflow_definitions",
        sa.Column("id", Serial, autoincrement=True, nullable=False),
        sa.Column("hash", SafeText(), nullable=False, comment="SHA-256 of the graph"),
        sa.Column("name", SafeText(), nullable=False),
        sa.Column("version", SafeText(), nullable=False),
        sa.Column("description", SafeText(), nullable=False),
        sa.Column("definition_json", sa.JSON(), nullable=False, comment="the graph"),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workflow_definitions")),
        sa.UniqueConstraint("hash", name=op.f("uq_workflow_definitions_hash")),
    )
    op.create_index(op.f("ix_workflow_definitions_name_version"), "workflow_definitions", ["name", "version"])
    op.create_table(
        "workflow_events",
        sa.Column("instance_id", Identity(), nullable=False),
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("actor", SafeText(), nullable=False),
        sa.Column("events", sa.LargeBinary(), nullable=False, comment="in order: JSON list"),
        sa.PrimaryKeyConstraint("instance_id", "revision", name=op.f("pk_workflow_events")),
    )
    op.create_table(
        "workflow_human_tasks",
        sa.Column("id", Identity(), nullable=False),
        sa.Column("instance_id", Identity(), nullable=False),
        sa.Column("workflow_name", SafeText(), nullable=False),
        sa.Column("workflow_version", SafeText(), nullable=False),
        sa.Column("tenant_id", SafeText(), server_default="", nullable=False),
        sa.Column(
            "execution", sa.BigInteger(), nullable=False, comment="number of the step execution that waits for it"
        ),
        sa.Column("step_name", SafeText(), nullable=False),
        sa.Column("title", SafeText(), nullable=False),
        sa.Column("status", SafeText(), nullable=False),
        sa.Column("assignee_id", SafeText()),
        sa.Column("candidates", TextList(), nullable=False, comment="user:… and group:…; empty is everybody"),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("due_at", Moment()),
        sa.Column("reminder_at", Moment()),
        sa.Column("completed_at", Moment()),
        sa.Column("completed_by", SafeText()),
        sa.Column("comment", SafeText()),
        sa.Column("opening", sa.LargeBinary(), nullable=False, comment="what was asked, form included: MessagePack"),
        sa.CheckConstraint(
            "status IN ('pending', 'completed', 'canceled')", name=op.f("ck_workflow_human_tasks_status")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workflow_human_tasks")),
    )
    op.create_index(
        "ix_workflow_human_tasks_assigned",
        "workflow_human_tasks",
        ["assignee_id", "created_at", "id"],
        postgresql_where=sa.text("status = 'pending'"),
        sqlite_where=sa.text("status = 'pending'"),
    )
    op.create_index(op.f("ix_workflow_human_tasks_created_at_id"), "workflow_human_tasks", ["created_at", "id"])
    op.create_index(op.f("ix_workflow_human_tasks_instance_id"), "workflow_human_tasks", ["instance_id"])
    op.create_index(
        "ix_workflow_human_tasks_open",
        "workflow_human_tasks",
        ["tenant_id", "created_at", "id"],
        postgresql_where=sa.text("status = 'pending'"),
        sqlite_where=sa.text("status = 'pending'"),
    )
    op.create_table(
        "workflow_instances",
        sa.Column("id", Identity(), nullable=False),
        sa.Column("tenant_id", SafeText(), server_default="", nullable=False),
        sa.Column("workflow_name", SafeText(), nullable=False),
        sa.Column("workflow_version", SafeText(), nullable=False),
        sa.Column("graph_hash", SafeText(), nullable=False),
        sa.Column("status", SafeText(), nullable=False),
        sa.Column("current_step", SafeText()),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("transition_id", Identity(), nullable=False, comment="identity of the last transition"),
        sa.Column("marking", sa.LargeBinary(), nullable=False, comment="tokens, scopes, counters: MessagePack"),
        sa.Column("data", sa.LargeBinary(), nullable=False, comment="encoded values by key: MessagePack"),
        sa.Column("metadata", sa.LargeBinary(), comment="encoded, immutable"),
        sa.Column("error", SafeText(), comment="why it failed: JSON"),
        sa.Column("created_by", SafeText()),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.Column("completed_at", Moment()),
        sa.Column("start_key", SafeText(), comment="idempotency key of the start"),
        sa.Column("start_digest", SafeText()),
        sa.CheckConstraint(
            "status IN ('pending', 'running', 'waiting', 'paused', 'completed', 'failed', 'canceled')",
            name=op.f("ck_workflow_instances_status"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workflow_instances")),
        postgresql_with={"fillfactor": 70},
    )
    op.create_index(
        op.f("ix_workflow_instances_created_by_started_at_id"), "workflow_instances", ["created_by", "started_at", "id"]
    )
    op.create_index(
        "ix_workflow_instances_failed",
        "workflow_instances",
        ["started_at", "id"],
        postgresql_where=sa.text("status = 'failed'"),
        sqlite_where=sa.text("status = 'failed'"),
    )
    op.create_index(op.f("ix_workflow_instances_started_at_id"), "workflow_instances", ["started_at", "id"])
    op.create_index(
        op.f("ix_workflow_instances_tenant_id_started_at_id"), "workflow_instances", ["tenant_id", "started_at", "id"]
    )
    op.create_index(
        "ix_workflow_instances_unfinished",
        "workflow_instances",
        ["started_at", "id"],
        postgresql_where=sa.text("status IN ('pending', 'running', 'waiting', 'paused')"),
        sqlite_where=sa.text("status IN ('pending', 'running', 'waiting', 'paused')"),
    )
    op.create_index(
        op.f("ix_workflow_instances_workflow_name_started_at_id"),
        "workflow_instances",
        ["workflow_name", "started_at", "id"],
    )
    op.create_index(
        "uq_workflow_instances_start_key",
        "workflow_instances",
        ["tenant_id", "workflow_name", "start_key"],
        unique=True,
        postgresql_where=sa.text("start_key IS NOT NULL"),
        sqlite_where=sa.text("start_key IS NOT NULL"),
    )
    op.create_table(
        "workflow_scopes",
        sa.Column("instance_id", Identity(), nullable=False),
        sa.Column(
            "home",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="the item with which the scope is stored",
        ),
        sa.Column("scope_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("parent_home", sa.BigInteger(), nullable=False, comment="the item around this one, 0 for none"),
        sa.Column(
            "marking", sa.LargeBinary(), comment="the item's scope and those inside it: MessagePack; NULL unless active"
        ),
        sa.Column("data", sa.LargeBinary(), comment="encoded values of the item's scope by key: MessagePack"),
        sa.Column("result", sa.LargeBinary(), comment="encoded result of a finished item"),
        sa.PrimaryKeyConstraint("instance_id", "home", "scope_id", name=op.f("pk_workflow_scopes")),
        postgresql_with={"fillfactor": 70},
    )
    op.create_index(
        "ix_workflow_scopes_inner",
        "workflow_scopes",
        ["instance_id", "scope_id"],
        postgresql_where=sa.text("scope_id <> home"),
        sqlite_where=sa.text("scope_id <> home"),
    )
    op.create_table(
        "workflow_step_executions",
        sa.Column("instance_id", Identity(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("step_name", SafeText(), nullable=False),
        sa.Column("step_type", SafeText(), nullable=False),
        sa.Column("status", SafeText(), nullable=False),
        sa.Column("scope_id", sa.BigInteger(), nullable=False),
        sa.Column("item", sa.BigInteger(), nullable=False, comment="index of the ForEach item, -1 outside"),
        sa.Column("visit", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("started_at", Moment()),
        sa.Column("completed_at", Moment(), nullable=False),
        sa.Column("result", sa.LargeBinary(), comment="encoded"),
        sa.Column("error", SafeText(), comment="why it failed: JSON"),
        sa.Column("completed_by", SafeText()),
        sa.CheckConstraint(
            "status IN ('pending', 'scheduled', 'running', 'waiting', 'succeeded', 'failed', 'canceled', 'skipped')",
            name=op.f("ck_workflow_step_executions_status"),
        ),
        sa.PrimaryKeyConstraint("instance_id", "number", name=op.f("pk_workflow_step_executions")),
    )
    op.create_table(
        "workflow_work_items",
        sa.Column("instance_id", Identity(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", SafeText(), nullable=False),
        sa.Column("step_name", SafeText(), nullable=False),
        sa.Column("scope_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "home", sa.BigInteger(), nullable=False, comment="the item with which that scope is stored, 0 for none"
        ),
        sa.Column("execution", sa.BigInteger(), nullable=False),
        sa.Column("queue", SafeText(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("due_at", Moment(), comment="NULL: never"),
        sa.Column("revision", sa.BigInteger(), nullable=False, comment="of the transition that wrote it"),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("worker", SafeText(), comment="who holds it"),
        sa.Column("lease_until", Moment()),
        sa.PrimaryKeyConstraint("instance_id", "number", name=op.f("pk_workflow_work_items")),
        postgresql_with={"fillfactor": 50, "autovacuum_vacuum_scale_factor": 0.02, "autovacuum_vacuum_threshold": 1000},
    )
    op.create_index(
        "ix_workflow_work_items_due",
        "workflow_work_items",
        ["queue", "priority", "due_at"],
        postgresql_where=sa.text("worker IS NULL AND due_at IS NOT NULL"),
        sqlite_where=sa.text("worker IS NULL AND due_at IS NOT NULL"),
    )
    op.create_index(
        "ix_workflow_work_items_held",
        "workflow_work_items",
        ["worker"],
        postgresql_where=sa.text("worker IS NOT NULL"),
        sqlite_where=sa.text("worker IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_table("workflow_work_items")
    op.drop_table("workflow_step_executions")
    op.drop_table("workflow_scopes")
    op.drop_table("workflow_instances")
    op.drop_table("workflow_human_tasks")
    op.drop_table("workflow_events")
    op.drop_table("workflow_definitions")
