"""Faults of executions that are opened again, and of instances that go on after their end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from workflows_core.adapters.memory import InMemoryWorkflowQueries, InMemoryWorkflowStore, MemoryState
from workflows_core.adapters.memory.rows import InstanceRow
from workflows_core.domain.transition import StepExecution
from workflows_core.ports.queries import ExecutionRecord
from workflows_core.ports.store import Claim, ClaimRequest, Committed, Write, WriteResult
from workflows_testing.conformance.store_reopenings import ReopeningRules
from workflows_testing.faulty.fault import ChangesWrites, Fault, with_queries, with_store
from workflows_testing.faulty.rewriting import with_transition

__all__ = ["FAULTS"]


def _keep(row: InstanceRow, keeps: Callable[[StepExecution, datetime], bool]) -> None:
    """Forget the other executions."""
    row.executions = [
        (at, tuple(execution for execution in executions if keeps(execution, at))) for at, executions in row.executions
    ]


class OpensEverywhere(InMemoryWorkflowStore):
    """Opens executions of this number in all instances again."""

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        for write in writes:
            gone = write.transition.reopened
            for row in self.memory.instances.values():
                _keep(row, lambda execution, _at: execution.number not in gone)  # noqa: B023 - called at once
        return await super().commit(writes)


class OpensBeforeItLooks(InMemoryWorkflowStore):
    """Opens executions again although it then refuses the transition."""

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        for write in writes:
            row, gone = self.memory.instances.get(write.transition.state.id.int), write.transition.reopened
            if row is not None:
                _keep(row, lambda execution, _at: execution.number not in gone)  # noqa: B023 - called at once
        return await super().commit(writes)


class OpensLast(InMemoryWorkflowStore):
    """Deletes the records of executions that are open again when the new ones are written already."""

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        results = await super().commit(writes)
        for write, result in zip(writes, results, strict=True):
            gone = write.transition.reopened
            if isinstance(result, Committed):
                row = self.memory.instances[write.transition.state.id.int]
                _keep(row, lambda execution, _at: execution.number not in gone)  # noqa: B023 - called at once
        return results


class OpensTheFirstOfABatch(InMemoryWorkflowStore):
    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        rest = [with_transition(write, reopened=()) for write in writes[1:]]
        return await super().commit([*writes[:1], *rest])


class KeepsTheFirstRecord(InMemoryWorkflowStore):
    """Records an execution once and never again."""

    __slots__ = ("_known",)

    def __init__(self, memory: MemoryState) -> None:
        super().__init__(memory)
        self._known: set[tuple[UUID, int]] = set()

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        new: list[Write] = []
        for write in writes:
            id, finished = write.transition.state.id, write.transition.executions
            new.append(
                with_transition(write, executions=tuple(run for run in finished if (id, run.number) not in self._known))
            )
            self._known |= {(id, run.number) for run in finished}
        return await super().commit(new)


class StumblesOverUnknown(InMemoryWorkflowStore):
    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        for write in writes:
            row = self.memory.instances.get(write.transition.state.id.int)
            known = {run.number for _, runs in row.executions for run in runs} if row is not None else set()
            if not known.issuperset(write.transition.reopened):
                msg = "no rows"
                raise LookupError(msg)
        return await super().commit(writes)


class EndsForGood(InMemoryWorkflowStore):
    """Gives no work of an instance that was ever over."""

    __slots__ = ("_over",)

    def __init__(self, memory: MemoryState) -> None:
        super().__init__(memory)
        self._over: set[UUID] = set()

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        states = [write.transition.state for write in writes]
        self._over |= {state.id for state in states if state.status.is_final}
        return await super().commit(writes)

    async def claim(self, request: ClaimRequest) -> list[Claim]:
        return [claimed for claimed in await super().claim(request) if claimed.state.id not in self._over]


class ForgetsWorkAtTheEnd(InMemoryWorkflowStore):
    """Deletes the work of an instance that is over, which the transition did not say."""

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        results = await super().commit(writes)
        for row in self.memory.instances.values():
            if row.state.status.is_final:
                for work in row.work.values():
                    self.memory.backlog.withdraw(work)
                row.work = {}
        return results


class ListsAsRecorded(InMemoryWorkflowQueries):
    """Lists executions in the order in which they were recorded."""

    async def list_executions(
        self, instance_id: UUID, *, after: int = 0, limit: int = 1000
    ) -> Sequence[ExecutionRecord]:
        row = self._memory.instances[instance_id.int]
        return [ExecutionRecord(execution, at) for at, executions in row.executions for execution in executions]


def _never(_memory: MemoryState, write: Write) -> Write:
    return with_transition(write, reopened=())


def _first(_memory: MemoryState, write: Write) -> Write:
    return with_transition(write, reopened=write.transition.reopened[:1])


def _all(memory: MemoryState, write: Write) -> Write:
    row = memory.instances.get(write.transition.state.id.int)
    if row is None or not write.transition.reopened:
        return write
    return with_transition(write, reopened=tuple(run.number for _, runs in row.executions for run in runs))


def _take_nothing(_memory: MemoryState, write: Write) -> Write:
    return replace(write, take=())


FAULTS: Final[tuple[Fault, ...]] = (
    *(
        with_store(partial(ChangesWrites, change=change), name, ReopeningRules)
        for change, name in (
            (_never, "keeps the record of what is open again"),
            (_first, "opens one execution of several again"),
            (_all, "opens all executions again"),
            (_take_nothing, "does not take what is open again"),
        )
    ),
    with_store(OpensEverywhere, "opens executions of all instances again", ReopeningRules),
    with_store(OpensBeforeItLooks, "opens executions again for a refused transition", ReopeningRules),
    with_store(OpensLast, "deletes records after it wrote them", ReopeningRules),
    with_store(OpensTheFirstOfABatch, "opens executions again for the first of a batch", ReopeningRules),
    with_store(KeepsTheFirstRecord, "records an execution once and never again", ReopeningRules),
    with_store(StumblesOverUnknown, "cannot open again what was never recorded", ReopeningRules, crashes=True),
    with_store(EndsForGood, "never goes on after an end", ReopeningRules),
    with_store(ForgetsWorkAtTheEnd, "forgets the work of an instance that is over", ReopeningRules),
    with_queries(ListsAsRecorded, "lists executions as they were recorded", ReopeningRules),
)
