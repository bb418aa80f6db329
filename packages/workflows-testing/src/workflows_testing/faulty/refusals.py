"""Faults of refusals: one part of a refused transition stays."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from workflows_core.adapters.memory import InMemoryWorkflowStore, MemoryState
from workflows_core.adapters.memory.rows import InstanceRow
from workflows_core.domain.transition import Transition
from workflows_core.ports.store import Committed, Write, WriteResult
from workflows_testing.conformance.store_refusals import RefusalRules
from workflows_testing.faulty.fault import Fault, with_store

__all__ = ["FAULTS"]


class LeavesParts(InMemoryWorkflowStore):
    """Rolls back all of a refused transition but some parts."""

    __slots__ = ("_parts",)

    def __init__(self, memory: MemoryState, parts: tuple[str, ...]) -> None:
        super().__init__(memory)
        self._parts = parts

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        results: list[WriteResult] = []
        for write in writes:
            results += await super().commit([write])
            row = self.memory.instances.get(write.transition.state.id.int)
            if row is not None and not isinstance(results[-1], Committed):
                await self._leave(row, write)
        return results

    async def _leave(self, row: InstanceRow, write: Write) -> None:
        before = (row.state, [*row.writes], row.updated_at, row.completed_at, row.work)
        following = replace(row.state, revision=row.state.revision + 1)
        wanted = write.transition
        parts: dict[str, Any] = {part: getattr(wanted, part) for part in self._parts}
        scopes = {**wanted.state.scopes, **following.scopes}
        transition = Transition(replace(following, scopes=scopes), wanted.actor, **parts)
        await super().commit([Write(id=write.id, transition=transition)])
        row.state, row.writes, row.updated_at, row.completed_at, row.work = before


class LeavesTheState(InMemoryWorkflowStore):
    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        results = await super().commit(writes)
        for write in writes:
            row = self.memory.instances.get(write.transition.state.id.int)
            if row is not None:
                row.state = write.transition.state
        return results


class UsesUpTheKey(InMemoryWorkflowStore):
    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        results = await super().commit(writes)
        for write in writes:
            state = write.transition.state
            if write.start_key is not None:
                place = (state.tenant, state.workflow, write.start_key.key)
                self.memory.start_keys.setdefault(place, (state.id, write.start_key.digest))
        return results


FAULTS: Final[tuple[Fault, ...]] = (
    *(
        with_store(partial(LeavesParts, parts=parts), f"leaves refused {parts[0]}", RefusalRules)
        for parts in (
            ("executions",),
            ("events",),
            ("opened",),
            ("tasks",),
            ("work",),
            ("items", "item_results"),
            ("dropped_items",),
        )
    ),
    with_store(LeavesTheState, "leaves a refused state", RefusalRules),
    with_store(UsesUpTheKey, "uses up the key of a refused start", RefusalRules),
)
