"""The tables.

No foreign keys: every row is written with its instance in one transaction, and checks of keys would be paid for at each step. What
changes at each step is never indexed, so that PostgreSQL updates the rows of instances and work items in place (HOT); that is why no
index serves a list ordered by ``updated_at``: it is sorted. Payloads, markings and data are opaque bytes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    text,
)

from workflows_core.domain.types import Parking, Phase, StepStatus, TaskStatus, WorkflowStatus
from workflows_sqlalchemy.column_types import Identity, Moment, OrderedText, SafeText, Serial, TextList

__all__ = [
    "FAILED",
    "OPEN_TASK",
    "PARKED",
    "UNFINISHED",
    "definitions",
    "events",
    "executions",
    "instances",
    "metadata",
    "rates",
    "scopes",
    "slots",
    "tasks",
    "work_items",
]

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""All tables of this package, and nothing else."""


def _one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def _partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    condition = text(where)
    return Index(name, *columns, unique=unique, postgresql_where=condition, sqlite_where=condition)


_OPEN: Final = ", ".join(f"'{status}'" for status in WorkflowStatus if not status.is_final)
UNFINISHED: Final = f"status IN ({_OPEN})"
FAILED: Final = f"status = '{WorkflowStatus.FAILED}'"
PARKED: Final = "parked IS NOT NULL"
OPEN_TASK: Final = f"status = '{TaskStatus.PENDING}'"

definitions: Final = Table(
    "workflow_definitions",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("hash", SafeText, nullable=False, unique=True, comment="SHA-256 of the graph"),
    Column("name", SafeText, nullable=False),
    Column("version", SafeText, nullable=False),
    Column("description", SafeText, nullable=False),
    Column("definition_json", JSON, nullable=False, comment="the graph"),
    Column("is_active", Boolean, nullable=False, server_default=text("true")),
    Column("created_at", Moment, nullable=False),
    Index(None, "name", "version"),
)

instances: Final = Table(
    "workflow_instances",
    metadata,
    Column("id", Identity, primary_key=True),
    Column("tenant_id", SafeText, nullable=False, server_default=""),
    Column("workflow_name", SafeText, nullable=False),
    Column("workflow_version", SafeText, nullable=False),
    Column("graph_hash", SafeText, nullable=False),
    Column("status", SafeText, nullable=False),
    Column("current_step", SafeText),
    Column("revision", BigInteger, nullable=False),
    Column("marking", LargeBinary, nullable=False, comment="tokens, scopes, counters: MessagePack"),
    Column("data", LargeBinary, nullable=False, comment="encoded values by key: MessagePack"),
    Column("metadata", LargeBinary, comment="encoded, immutable"),
    Column("error", SafeText, comment="why it failed: JSON"),
    Column("created_by", SafeText),
    Column("started_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("completed_at", Moment),
    Column("start_key", SafeText, comment="idempotency key of the start"),
    Column("start_digest", SafeText),
    Column("phase", SafeText, nullable=False, server_default=Phase.NORMAL.value),
    Column("parked", SafeText, comment="why it waits for an operator"),
    _one_of("status", WorkflowStatus),
    _one_of("phase", Phase),
    _one_of("parked", Parking),
    Index(None, "started_at", "id"),
    Index(None, "tenant_id", "started_at", "id"),
    Index(None, "workflow_name", "started_at", "id"),
    Index(None, "created_by", "started_at", "id"),
    _partial("ix_workflow_instances_unfinished", "started_at", "id", where=UNFINISHED),
    _partial("ix_workflow_instances_failed", "started_at", "id", where=FAILED),
    _partial("ix_workflow_instances_parked", "started_at", "id", where=PARKED),
    _partial(
        "uq_workflow_instances_start_key",
        "tenant_id",
        "workflow_name",
        "start_key",
        where="start_key IS NOT NULL",
        unique=True,
    ),
    postgresql_with={"fillfactor": 70},
)

scopes: Final = Table(
    "workflow_scopes",
    metadata,
    Column("instance_id", Identity, primary_key=True),
    Column(
        "home", BigInteger, primary_key=True, autoincrement=False, comment="the item with which the scope is stored"
    ),
    Column("scope_id", BigInteger, primary_key=True, autoincrement=False),
    Column("parent_home", BigInteger, nullable=False, comment="the item around this one, 0 for none"),
    Column("marking", LargeBinary, comment="the item's scope and those inside it: MessagePack; NULL unless active"),
    Column("data", LargeBinary, comment="encoded values of the item's scope by key: MessagePack"),
    Column("result", LargeBinary, comment="encoded result of a finished item"),
    # A scope inside an item has a row that only tells with which item it is stored.
    _partial("ix_workflow_scopes_inner", "instance_id", "scope_id", where="scope_id <> home"),
    postgresql_with={"fillfactor": 70},
)

work_items: Final = Table(
    "workflow_work_items",
    metadata,
    Column("instance_id", Identity, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", SafeText, nullable=False),
    Column("step_name", SafeText, nullable=False),
    Column("scope_id", BigInteger, nullable=False),
    Column("home", BigInteger, nullable=False, comment="the item with which that scope is stored, 0 for none"),
    Column("execution", BigInteger, nullable=False),
    Column("queue", SafeText, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("due_at", Moment, comment="NULL: never"),
    Column("revision", BigInteger, nullable=False, comment="of the transition that wrote it"),
    Column("fence", BigInteger, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("worker", SafeText, comment="who holds it"),
    Column("lease_until", Moment),
    Column("timeout_at", Moment, comment="from when on it is claimed, due and held or not, to be ended; NULL: never"),
    Column(
        "crashes", Integer, nullable=False, server_default="0", comment="claims since it was written whose lease ended"
    ),
    Column("throttle", SafeText, comment="which work it has to wait with; NULL: it need not wait"),
    Column("slot_key", SafeText, comment="the slot that it needs"),
    Column("slot_limit", Integer, comment="how many may be held with that slot"),
    Column("rate_key", SafeText, comment="the rate that it counts to"),
    Column("rate_limit", Integer, comment="how many may be taken in that time"),
    Column("rate_s", Double, comment="seconds of that time"),
    Column("admission_key", SafeText, comment="the slot that its instance needs"),
    Column("admission_limit", Integer, comment="how many instances may have that slot"),
    # Work that was to be done later has no part in it: whoever looks for the turns of tenants would meet all that only wait.
    Column("turn_of", OrderedText, comment="the tenant in whose turn it is done; NULL: it was to be done later"),
    _partial(
        "ix_workflow_work_items_due",
        *("queue", "priority", "turn_of", "due_at", "instance_id", "number"),
        where="worker IS NULL AND due_at IS NOT NULL AND throttle IS NULL AND turn_of IS NOT NULL",
    ),
    _partial(
        "ix_workflow_work_items_later",
        *("queue", "priority", "due_at", "instance_id", "number"),
        where="worker IS NULL AND due_at IS NOT NULL AND throttle IS NULL AND turn_of IS NULL",
    ),
    _partial(
        "ix_workflow_work_items_throttled",
        *("throttle", "due_at"),
        where="worker IS NULL AND due_at IS NOT NULL AND throttle IS NOT NULL",
    ),
    _partial("ix_workflow_work_items_slots", "slot_key", where="worker IS NOT NULL AND throttle IS NOT NULL"),
    _partial("ix_workflow_work_items_held", "worker", where="worker IS NOT NULL"),
    _partial("ix_workflow_work_items_timeout", "timeout_at", where="timeout_at IS NOT NULL"),
    # Rows come and go quickly: vacuum often, so that the table stays as small as the work that is open.
    postgresql_with={"fillfactor": 50, "autovacuum_vacuum_scale_factor": 0.02, "autovacuum_vacuum_threshold": 1000},
)

rates: Final = Table(
    "workflow_rates",
    metadata,
    Column("key", SafeText, primary_key=True),
    Column("expected_at", Moment, nullable=False, comment="when the next would come if they came evenly"),
)

slots: Final = Table(
    "workflow_slots",
    metadata,
    Column("key", SafeText, primary_key=True),
    Column("instance_id", Identity, primary_key=True, comment="has the slot until it is over"),
)

executions: Final = Table(
    "workflow_step_executions",
    metadata,
    Column("instance_id", Identity, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("step_name", SafeText, nullable=False),
    Column("step_type", SafeText, nullable=False),
    Column("status", SafeText, nullable=False),
    Column("scope_id", BigInteger, nullable=False),
    Column("item", BigInteger, nullable=False, comment="index of the ForEach item, -1 outside"),
    Column("visit", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("started_at", Moment),
    Column("completed_at", Moment, nullable=False),
    Column("result", LargeBinary, comment="encoded"),
    Column("error", SafeText, comment="why it failed: JSON"),
    Column("completed_by", SafeText),
    Column("compensates", BigInteger, nullable=False, server_default="0", comment="the execution that it undid"),
    _one_of("status", StepStatus),
)

events: Final = Table(
    "workflow_events",
    metadata,
    Column("instance_id", Identity, primary_key=True),
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("actor", SafeText, nullable=False),
    Column("events", LargeBinary, nullable=False, comment="in order: JSON list"),
    Column("transition_id", Identity, comment="identity of the transition; NULL: from before it was kept"),
)

tasks: Final = Table(
    "workflow_human_tasks",
    metadata,
    Column("id", Identity, primary_key=True),
    Column("instance_id", Identity, nullable=False),
    Column("workflow_name", SafeText, nullable=False),
    Column("workflow_version", SafeText, nullable=False),
    Column("tenant_id", SafeText, nullable=False, server_default=""),
    Column("execution", BigInteger, nullable=False, comment="number of the step execution that waits for it"),
    Column("step_name", SafeText, nullable=False),
    Column("title", SafeText, nullable=False),
    Column("status", SafeText, nullable=False),
    Column("assignee_id", SafeText),
    Column("candidates", TextList, nullable=False, comment="user:… and group:…; empty is everybody"),
    Column("priority", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("due_at", Moment),
    Column("reminder_at", Moment),
    Column("completed_at", Moment),
    Column("completed_by", SafeText),
    Column("comment", SafeText),
    Column("opening", LargeBinary, nullable=False, comment="what was asked, form included: MessagePack"),
    _one_of("status", TaskStatus),
    Index(None, "instance_id"),
    Index(None, "created_at", "id"),
    _partial("ix_workflow_human_tasks_open", "tenant_id", "created_at", "id", where=OPEN_TASK),
    _partial("ix_workflow_human_tasks_assigned", "assignee_id", "created_at", "id", where=OPEN_TASK),
)
