"""From rows to states, and reading one instance with the scopes that are asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, select

from workflows_core.domain.state import ROOT, InstanceState, Scope
from workflows_core.domain.transition import WorkItem, WorkKind
from workflows_core.domain.types import WorkflowStatus
from workflows_core.ports.store import Claim, Loaded
from workflows_sqlalchemy.column_types import safe_text
from workflows_sqlalchemy.encoding import decode_data, decode_error, decode_item, decode_marking
from workflows_sqlalchemy.tables import instances, scopes, work_items
from workflows_sqlalchemy.throttles import limits_of

__all__ = [
    "ITEM_COLUMNS",
    "STATE_COLUMNS",
    "WORK_COLUMNS",
    "AnyRow",
    "Claimed",
    "claimed",
    "instance_query",
    "item_results",
    "loaded_of",
    "read_instance",
    "read_with_scopes",
    "state_of",
    "wanted_instance",
    "work_item_of",
]

AnyRow: TypeAlias = Row[*tuple[Any, ...]] | Any
"""A row whose values are attributes."""

STATE_COLUMNS: Final = (
    instances.c.id,
    instances.c.tenant_id,
    instances.c.workflow_name,
    instances.c.workflow_version,
    instances.c.graph_hash,
    instances.c.revision,
    instances.c.status,
    instances.c.marking,
    instances.c.data,
    instances.c.metadata,
    instances.c.error,
    instances.c.created_by,
)
"""The columns of which a state is made."""

WORK_COLUMNS: Final = (
    work_items.c.number,
    work_items.c.kind,
    work_items.c.step_name,
    work_items.c.scope_id,
    work_items.c.home,
    work_items.c.execution,
    work_items.c.queue,
    work_items.c.priority,
    work_items.c.due_at,
    work_items.c.revision.label("work_revision"),
    work_items.c.fence,
    work_items.c.attempt,
    work_items.c.crashes,
    work_items.c.slot_key,
    work_items.c.slot_limit,
    work_items.c.rate_key,
    work_items.c.rate_limit,
    work_items.c.rate_s,
    work_items.c.admission_key,
    work_items.c.admission_limit,
    work_items.c.timeout_at,
)
"""The columns of which a claim is made."""

ITEM_COLUMNS: Final = (
    scopes.c.parent_home,
    scopes.c.marking.label("item_marking"),
    scopes.c.data.label("item_data"),
)
"""The columns of the item around a claim's scope."""


class Claimed(NamedTuple):
    """A claim as the claiming statement gives it.

    Attributes:
        claim: The claim.
        due_at: When its work item was due.
        is_complete: Whether its state is the one that the work item was made in (or a later one), with all scopes around it.
    """

    claim: Claim
    due_at: datetime
    is_complete: bool

    @property
    def order(self) -> tuple[int, datetime, UUID, int]:
        """Sorts the claims of one tenant: highest priority first, then earliest due, then by instance and number."""
        item = self.claim.item
        return -item.priority, self.due_at, self.claim.state.id, item.number


def state_of(row: AnyRow, items: Iterable[Scope] = ()) -> InstanceState:
    """The state that `STATE_COLUMNS` say, with the scopes of these items."""
    marking = decode_marking(row.marking)
    root, *inner = marking.scopes
    found = {ROOT: replace(root, data=decode_data(row.data))}
    for scope in (*inner, *items):
        found[scope.id] = scope
    return InstanceState(
        row.id,
        row.tenant_id,
        row.workflow_name,
        row.workflow_version,
        row.graph_hash,
        row.revision,
        WorkflowStatus(row.status),
        marking.counter,
        found,
        row.created_by,
        marking.started_at,
        row.metadata,
        decode_error(row.error),
        marking.buffered,
        marking.last,
        marking.parked,
        marking.has_deadline,
        marking.signals,
        marking.signal_keys,
        marking.priority,
        marking.awaits_slot,
    )


def work_item_of(row: AnyRow) -> WorkItem:
    """The work item of a row; its delay is spent."""
    slot, rate, admission = limits_of(row)
    return WorkItem(
        row.number,
        WorkKind(row.kind),
        row.step_name,
        row.scope_id,
        row.execution,
        row.queue,
        0.0,
        None,
        row.priority,
        slot=slot,
        rate=rate,
        admission=admission,
    )


def claimed(row: AnyRow, at: datetime, *, fence: int, attempt: int, crashes: int) -> Claimed:
    """The claim that `WORK_COLUMNS`, `STATE_COLUMNS` and `ITEM_COLUMNS` say."""
    item = work_item_of(row)
    if row.timeout_at is not None:
        item = replace(item, timeout_s=(row.timeout_at - at).total_seconds())
    items: tuple[Scope, ...] = ()
    # The statement sees the instance as it was when it began, the work item as it was when it was locked.
    is_complete = row.work_revision <= row.revision
    if row.home != ROOT:
        is_complete = is_complete and row.item_marking is not None and row.parent_home == ROOT
        items = decode_item(row.item_marking, row.item_data) if is_complete else ()
    claim = Claim(item, state_of(row, items), fence, attempt, at, crashes)
    return Claimed(claim, row.due_at, is_complete)


def read_instance(
    connection: Connection,
    instance_id: UUID,
    tenant: str | None,
    moment: ColumnElement[datetime],
    *,
    lock: bool = False,
) -> Loaded | None:
    """An instance, without the scopes of items; one statement. With ``lock`` nobody else changes it until the transaction ends."""
    query = instance_query(moment, of_tenant=tenant is not None, lock=lock)
    return loaded_of(connection.execute(query, wanted_instance(instance_id, tenant)).all())


def wanted_instance(instance_id: UUID, tenant: str | None) -> dict[str, Any]:
    """The values of an `instance_query`."""
    wanted: dict[str, Any] = {"wanted": instance_id}
    return wanted if tenant is None else {**wanted, "tenant": safe_text(tenant)}


def loaded_of(rows: Sequence[AnyRow]) -> Loaded | None:
    """The instance that an `instance_query` found."""
    return Loaded(state_of(rows[0]), rows[0].at) if rows else None


@lru_cache(maxsize=16)
def instance_query(moment: ColumnElement[datetime], *, of_tenant: bool, lock: bool = False) -> Select[*tuple[Any, ...]]:
    """The query of one instance; kept, because making it costs as much as running it."""
    query = select(moment.label("at"), *STATE_COLUMNS).where(instances.c.id == bindparam("wanted"))
    if lock:
        query = query.with_for_update(key_share=True)
    return query.where(instances.c.tenant_id == bindparam("tenant")) if of_tenant else query


def read_with_scopes(
    connection: Connection,
    instance_id: UUID,
    tenant: str | None,
    moment: ColumnElement[datetime],
    *,
    wanted: Collection[int],
    all_items: bool,
    lock: bool = False,
) -> Loaded | None:
    """An instance with the items in which these scopes are, and those around them; or with all items that are active.

    Several statements: they must see the same snapshot, or ``lock`` the instance.
    """
    loaded = read_instance(connection, instance_id, tenant, moment, lock=lock)
    if loaded is None or not (all_items or any(scope not in loaded.state.scopes for scope in wanted)):
        return loaded
    query = select(scopes.c.marking, scopes.c.data).where(
        scopes.c.instance_id == instance_id, scopes.c.home == scopes.c.scope_id, scopes.c.marking.is_not(None)
    )
    if not all_items:
        query = query.where(scopes.c.home.in_(_homes(connection, instance_id, wanted)))
    rows = connection.execute(query.order_by(scopes.c.home))
    found = {scope.id: scope for row in rows for scope in decode_item(row.marking, row.data)}
    return Loaded(replace(loaded.state, scopes={**loaded.state.scopes, **found}), loaded.at)


def item_results(connection: Connection, instance_id: UUID, first: int, total: int) -> list[bytes]:
    """Results of finished items, in their order."""
    query = (
        select(scopes.c.result)
        .where(
            scopes.c.instance_id == instance_id,
            scopes.c.home.between(first, first + total - 1),
            scopes.c.result.is_not(None),
        )
        .order_by(scopes.c.home)
    )
    return list((connection.execute(query)).scalars())


def _homes(connection: Connection, instance_id: UUID, wanted: Collection[int]) -> set[int]:
    """The items in which scopes are stored, and those around them."""
    found: set[int] = set()
    pending = {scope for scope in wanted if scope != ROOT}
    while pending:
        inner = select(scopes.c.home).where(
            scopes.c.instance_id == instance_id, scopes.c.scope_id.in_(pending), scopes.c.scope_id != scopes.c.home
        )
        homes = pending | set((connection.execute(inner)).scalars())
        around = select(scopes.c.home, scopes.c.parent_home).where(
            scopes.c.instance_id == instance_id, scopes.c.home.in_(homes), scopes.c.scope_id == scopes.c.home
        )
        rows = (connection.execute(around)).all()
        found.update(row.home for row in rows)
        pending = {row.parent_home for row in rows} - found - {ROOT}
    return found
