"""What limits a work item besides its moment: the slots that it and its instance need, and the rate that it counts to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from workflows_core.domain.kernel.marking import OpenScope
from workflows_core.domain.program import Program, StepProgram
from workflows_core.domain.state import Scope
from workflows_core.domain.transition import Rate, Slot, WorkItem, WorkKind

__all__ = ["admitted", "throttled"]

_LONGEST_VALUE: Final = 64
_SEPARATOR: Final = "\x1f"


def throttled(program: Program, step: StepProgram, item: WorkItem, root: OpenScope | Scope | None) -> WorkItem:
    """The work item, with what limits the code of its step; ``root`` has the data of the instance."""
    data = (root.data if root is not None else None) or {}
    concurrency, rate = step.node.concurrency, step.node.rate
    if item.kind not in {WorkKind.RUN, WorkKind.UNDO}:
        return item
    slot = per = None
    if concurrency is not None:
        slot = Slot(_key(program, step.name, concurrency.name, concurrency.key, data), concurrency.limit)
    if rate is not None:
        per = Rate(_key(program, step.name, rate.name, rate.key, data), rate.limit, rate.per.total_seconds())
    return replace(item, slot=slot, rate=per)


def admitted(program: Program, item: WorkItem, root: OpenScope | Scope | None) -> WorkItem:
    """The work item, with the slot that its instance needs; ``root`` has the data of the instance."""
    limit = program.graph.concurrency
    if limit is None:
        return item
    data = (root.data if root is not None else None) or {}
    return replace(item, admission=Slot(_key(program, "", limit.name, limit.key, data), limit.limit))


def _key(program: Program, step: str, name: str | None, key: str | None, data: Mapping[str, bytes]) -> str:
    """What is limited, with the value that divides it: as it is encoded if it is short and can be read, else its digest."""
    base = name or (f"{program.graph.name}/{step}" if step else program.graph.name)
    if key is None:
        return base
    raw = data.get(key)
    if raw is None:
        raw = program.encode(None)
    value = raw.decode("ascii", "replace")
    if len(raw) > _LONGEST_VALUE or not value.isprintable() or not value.isascii():
        value = f"#{hashlib.sha256(raw).hexdigest()}"
    return f"{base}{_SEPARATOR}{value}"
