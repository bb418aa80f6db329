"""Whether the conditions of writes hold, and if not, what to say: asked before writing (SQLite) or of those refused (PostgreSQL)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, TypeAlias
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, select

from workflows_core.ports.store import Committed, Conflict, DuplicateKey, Held, LeaseLost, Write, WriteResult
from workflows_sqlalchemy.column_types import safe_text
from workflows_sqlalchemy.tables import events, instances, work_items

__all__ = ["KeyId", "Situation", "WorkId", "among", "committed", "key_id", "situation_of", "verdict"]

WorkId: TypeAlias = tuple[UUID, int]
KeyId: TypeAlias = tuple[str, str, str]


class Situation(NamedTuple):
    """What the database holds that the conditions of some writes depend on.

    Attributes:
        revisions: Those of their instances.
        fences: Fence and worker of the work items under which they were decided, and of those that they take.
        start_keys: Instance and digest by tenant, workflow and key.
    """

    revisions: dict[UUID, int]
    fences: dict[WorkId, tuple[int, str | None]]
    start_keys: dict[KeyId, tuple[UUID, str]]


def among(places: Collection[WorkId]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Conditions that hold for these work items, and maybe for others of the same instances.

    Column by column, because SQLite reads the whole table for a list of pairs.
    """
    ids, numbers = {instance_id for instance_id, _ in places}, {number for _, number in places}
    return work_items.c.instance_id.in_(ids), work_items.c.number.in_(numbers)


def situation_of(connection: Connection, writes: Sequence[Write]) -> Situation:
    """Read what the conditions of these writes depend on."""
    ids = [write.transition.state.id for write in writes]
    found = connection.execute(select(instances.c.id, instances.c.revision).where(instances.c.id.in_(ids)))
    revisions = {row.id: row.revision for row in found}
    wanted = [
        (write.transition.state.id, number)
        for write in writes
        for number in (*(held.number for held in write.holds), *write.take)
    ]
    fences: dict[WorkId, tuple[int, str | None]] = {}
    if wanted:
        asked = select(work_items.c.instance_id, work_items.c.number, work_items.c.fence, work_items.c.worker)
        for row in connection.execute(asked.where(*among(wanted))):
            fences[row.instance_id, row.number] = (row.fence, row.worker)
    return Situation(revisions, fences, _start_keys(connection, writes))


def committed(connection: Connection, write: Write) -> Committed | None:
    """The result of a write that was committed before, whatever has happened to its instance since."""
    state = write.transition.state
    made = events.c.instance_id == state.id, events.c.revision == state.revision, events.c.transition_id == write.id
    at = connection.scalar(select(events.c.at).where(*made))
    if at is None:
        return None
    work = work_items.c
    # Claimed once since it was written: by being taken.
    as_taken = work.revision == state.revision, work.worker == safe_text(write.worker), work.attempt == 1
    taken = [(state.id, number) for number in write.take]
    query = select(work.number, work.fence).where(*among(taken), *as_taken)
    return Committed(at, {row.number: row.fence for row in connection.execute(query)} if taken else {})


def verdict(write: Write, situation: Situation) -> WriteResult | None:
    """What becomes of a write; None if its conditions hold."""
    state = write.transition.state
    if write.start_key is not None:
        used = situation.start_keys.get(key_id(write))
        if used is not None:
            return DuplicateKey(*used)
    if not all(_is_held(write, held, situation) for held in write.holds):
        return LeaseLost()
    return None if situation.revisions.get(state.id, 0) == write.transition.base_revision else Conflict()


def _is_held(write: Write, held: Held, situation: Situation) -> bool:
    found = situation.fences.get((write.transition.state.id, held.number))
    return found == (held.fence, safe_text(held.worker))


def key_id(write: Write) -> KeyId:
    """Tenant, workflow and start key of a write that has one, as they are stored."""
    state = write.transition.state
    key = write.start_key.key if write.start_key is not None else ""
    return safe_text(state.tenant), safe_text(state.workflow), safe_text(key)


def _start_keys(connection: Connection, writes: Sequence[Write]) -> dict[KeyId, tuple[UUID, str]]:
    asked = [key_id(write) for write in writes if write.start_key is not None]
    if not asked:
        return {}
    key = instances.c.tenant_id, instances.c.workflow_name, instances.c.start_key
    # Column by column, for the reason that `among` gives; NULL is excluded so that SQLite uses the partial index.
    matches = [column.in_({part[place] for part in asked}) for place, column in enumerate(key)]
    query = select(instances.c.id, instances.c.start_digest, *key).where(*matches, instances.c.start_key.is_not(None))
    found = connection.execute(query)
    return {(row.tenant_id, row.workflow_name, row.start_key): (row.id, row.start_digest) for row in found}
