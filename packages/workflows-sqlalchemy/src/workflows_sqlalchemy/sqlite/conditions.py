"""Reading on SQLite what the conditions of writes depend on, in statements whose text is always the same: one, and one for start keys."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from workflows_core.ports.store import Write
from workflows_sqlalchemy.sqlite.direct import Statement
from workflows_sqlalchemy.verdicts import KeyId, Situation, WorkId, key_id

__all__ = ["read_situation"]

# JSON has no bytes, so the ids stand beside the numbers of their work items, 16 bytes for each. CROSS JOIN keeps this order.
_READ: Final = Statement(
    text("""
SELECT asked.key, i.revision, w.fence, w.worker
FROM json_each(:numbers) asked
CROSS JOIN workflow_instances i ON i.id = substr(:ids, 16 * asked.key + 1, 16)
LEFT JOIN workflow_work_items w ON w.instance_id = i.id AND w.number = asked.value
"""),
    ("numbers", "ids"),
)
_READ_START_KEYS: Final = Statement(
    text("""
SELECT asked.key, i.id, i.start_digest
FROM json_each(:keys) asked
CROSS JOIN workflow_instances i ON i.tenant_id = json_extract(asked.value, '$[0]')
    AND i.workflow_name = json_extract(asked.value, '$[1]') AND i.start_key = json_extract(asked.value, '$[2]')
"""),
    ("keys",),
)


def read_situation(connection: Connection, writes: Sequence[Write]) -> Situation:
    """As `verdicts.situation_of`."""
    asked = [
        (write.transition.state.id, number)
        for write in writes
        for number in {held.number for held in write.holds}.union(write.take) or (None,)
    ]
    numbers = json.dumps([number for _, number in asked])
    ids = b"".join([instance_id.bytes for instance_id, _ in asked])
    revisions: dict[UUID, int] = {}
    fences: dict[WorkId, tuple[int, str | None]] = {}
    for place, revision, fence, worker in _READ.fetch(connection, (numbers, ids)):
        instance_id, number = asked[place]
        revisions[instance_id] = revision
        if number is not None and fence is not None:
            fences[instance_id, number] = fence, worker
    return Situation(revisions, fences, _read_start_keys(connection, writes))


def _read_start_keys(connection: Connection, writes: Sequence[Write]) -> dict[KeyId, tuple[UUID, str]]:
    keys = [key_id(write) for write in writes if write.start_key is not None]
    if not keys:
        return {}
    found = _READ_START_KEYS.fetch(connection, (json.dumps(keys),))
    return {keys[place]: (UUID(bytes=instance_id), digest) for place, instance_id, digest in found}
