"""Faults of commits: order, batches, data, and the question whether a transition was the last."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from workflows_core.adapters.memory import InMemoryWorkflowStore, MemoryState
from workflows_core.domain.state import ROOT, Scope
from workflows_core.errors import StoreUnavailableError
from workflows_core.ports.leases import fence_before
from workflows_core.ports.store import Committed, Conflict, Loaded, Write, WriteResult
from workflows_testing.conformance.store_commits import CommitRules
from workflows_testing.conformance.store_fences import FenceRules
from workflows_testing.faulty.fault import ChangesWrites, Fault, with_store
from workflows_testing.faulty.rewriting import at_current_revision, with_scopes, with_transition

__all__ = ["FAULTS", "AllOrNothing"]


class Forgetful(InMemoryWorkflowStore):
    """Says that it committed, and did not, after the first transition."""

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        results: list[WriteResult] = []
        for write in writes:
            if write.transition.base_revision == 0:
                results += await super().commit([write])
            else:
                results.append(Committed(self.memory.clock.now()))
        return results


class AllOrNothing(InMemoryWorkflowStore):
    """One refused transition refuses its batch."""

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        if len(writes) > 1 and not all(map(self._fits, writes)):
            return [Conflict() for _ in writes]
        return await super().commit(writes)

    def _fits(self, write: Write) -> bool:
        row = self.memory.instances.get(write.transition.state.id.int)
        if row is None:
            return write.transition.base_revision == 0
        work = row.work.get(write.held.number) if write.held is not None else None
        is_held = write.held is None or (work is not None and work.fence == write.held.fence)
        return is_held and row.state.revision == write.transition.base_revision


class ReversesResults(InMemoryWorkflowStore):
    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        return [*(await super().commit(writes[1:])), *(await super().commit(writes[:1]))]


class StumblesOverNothing(InMemoryWorkflowStore):
    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        first = writes[0]
        return await super().commit([first, *writes[1:]])


class StumblesOverMany(InMemoryWorkflowStore):
    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        if len(writes) > 100:
            reason = "too many variables"
            raise StoreUnavailableError(reason)
        return await super().commit(writes)


class BeginsFencesAnew(InMemoryWorkflowStore):
    """Counts the claims of a work item that is made anew from 0."""

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        before = {work.ref for row in self.memory.instances.values() for work in row.work.values()}
        results = list(await super().commit(writes))
        for place, (write, result) in enumerate(zip(writes, results, strict=True)):
            if not isinstance(result, Committed):
                continue
            state = write.transition.state
            rows = self.memory.instances[state.id.int].work
            for number in write.transition.work:
                if number in rows and rows[number].ref not in before:
                    rows[number].fence -= fence_before(state.revision)
            results[place] = Committed(result.at, {number: rows[number].fence for number in result.fences})
        return results


class TellsTheWrongTime(InMemoryWorkflowStore):
    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        early = timedelta(microseconds=1)
        return [
            Committed(result.at - early, result.fences) if isinstance(result, Committed) else result
            for result in await super().commit(writes)
        ]

    async def load(
        self, instance_id: UUID, *, tenant: str | None = None, scopes: Collection[int] = (), all_items: bool = False
    ) -> Loaded | None:
        found = await super().load(instance_id, tenant=tenant, scopes=scopes, all_items=all_items)
        return None if found is None else Loaded(found.state, datetime.fromtimestamp(0, found.at.tzinfo))


class SharesItsState(InMemoryWorkflowStore):
    """Changes what it handed out."""

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        before = {key: row.state for key, row in self.memory.instances.items()}
        results = await super().commit(writes)
        for write in writes:
            state = write.transition.state
            earlier = before.get(state.id.int)
            if earlier is not None:
                earlier.scopes.clear()
                earlier.scopes.update(state.scopes)
        return results


class WritesInTwoParts(InMemoryWorkflowStore):
    """Writes the state, lets others run, then writes the rest; a cancellation comes between."""

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        results: list[WriteResult] = []
        for write in writes:
            results += await super().commit([with_transition(write, executions=(), events=())])
            await asyncio.sleep(0)
            row = self.memory.instances.get(write.transition.state.id.int)
            if row is not None and isinstance(results[-1], Committed):
                row.executions.append((self.memory.clock.now(), write.transition.executions))
        return results


class KnowsNoTransition(InMemoryWorkflowStore):
    async def committed(self, write: Write) -> Committed | None:
        return None


class KnowsTheLastTransition(InMemoryWorkflowStore):
    async def committed(self, write: Write) -> Committed | None:
        row = self.memory.instances.get(write.transition.state.id.int)
        is_last = row is not None and row.state.revision == write.transition.state.revision
        return await super().committed(write) if is_last else None


class TellsTheFencesOfOthers(InMemoryWorkflowStore):
    async def committed(self, write: Write) -> Committed | None:
        found = await super().committed(write)
        row = self.memory.instances.get(write.transition.state.id.int)
        if found is None or row is None:
            return found
        return Committed(found.at, {number: row.work[number].fence for number in write.take if number in row.work})


class KnowsEveryTransition(InMemoryWorkflowStore):
    async def committed(self, write: Write) -> Committed | None:
        return await super().committed(write) or Committed(self.memory.clock.now())


class ForgetsFences(InMemoryWorkflowStore):
    async def committed(self, write: Write) -> Committed | None:
        found = await super().committed(write)
        return None if found is None else Committed(found.at)


def _always(_memory: MemoryState, write: Write) -> Write:
    return with_transition(write, data_changed=True)


def _never(_memory: MemoryState, write: Write) -> Write:
    return with_transition(write, data_changed=False)


def _merged(memory: MemoryState, write: Write) -> Write:
    row = memory.instances.get(write.transition.state.id.int)
    stored = row.state.data if row is not None else {}
    return with_scopes(write, lambda scope: _with_data(scope, {**stored, **(scope.data or {})}))


def _with_data(scope: Scope, data: dict[str, bytes] | None) -> Scope:
    return replace(scope, data=data) if scope.id == ROOT else scope


def _without_empty_data(_memory: MemoryState, write: Write) -> Write:
    return with_scopes(write, lambda scope: _with_data(scope, scope.data or None))


def _sorted(_memory: MemoryState, write: Write) -> Write:
    return with_scopes(
        write,
        lambda scope: replace(
            scope, data=dict(sorted((scope.data or {}).items())), visits=dict(sorted(scope.visits.items()))
        ),
    )


FAULTS: Final[tuple[Fault, ...]] = (
    with_store(Forgetful, "says that it committed, and did not", CommitRules),
    with_store(partial(ChangesWrites, change=at_current_revision), "writes whatever the revision", CommitRules),
    with_store(AllOrNothing, "refuses a batch for one transition", CommitRules, FenceRules),
    with_store(ReversesResults, "gives results in another order", CommitRules),
    with_store(StumblesOverNothing, "cannot commit nothing", CommitRules, crashes=True),
    with_store(StumblesOverMany, "cannot commit many", CommitRules, crashes=True),
    with_store(BeginsFencesAnew, "begins fences anew", FenceRules),
    with_store(TellsTheWrongTime, "tells another time than its clock", CommitRules),
    with_store(SharesItsState, "changes what it handed out", CommitRules),
    with_store(WritesInTwoParts, "lets a cancellation come between the parts of a transition", CommitRules),
    with_store(KnowsNoTransition, "knows no transition", CommitRules),
    with_store(KnowsTheLastTransition, "knows the last transition only", CommitRules),
    with_store(TellsTheFencesOfOthers, "tells the fences of others", CommitRules),
    with_store(KnowsEveryTransition, "takes every transition for committed", CommitRules),
    with_store(ForgetsFences, "does not know what a transition took", CommitRules),
    with_store(partial(ChangesWrites, change=_always), "always writes the data", CommitRules),
    with_store(partial(ChangesWrites, change=_never), "never writes the data again", CommitRules),
    with_store(partial(ChangesWrites, change=_merged), "keeps keys that were removed", CommitRules),
    with_store(partial(ChangesWrites, change=_without_empty_data), "takes no data for none", CommitRules),
    with_store(partial(ChangesWrites, change=_sorted), "sorts the keys of maps", CommitRules),
)
