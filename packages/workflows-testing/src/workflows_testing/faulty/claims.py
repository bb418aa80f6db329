"""Faults of claims: what is due, what is wanted, and the order."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC
from functools import partial
from typing import Final

from msgspec.structs import replace

from workflows_core.adapters.memory import InMemoryWorkflowStore, MemoryState
from workflows_core.domain.transition import WorkItem
from workflows_core.domain.types import WorkflowStatus
from workflows_core.ports.store import Claim, ClaimRequest, Write, WriteResult, step_key
from workflows_testing.conformance.store_claims import ClaimRules
from workflows_testing.conformance.store_leases import LeaseRules
from workflows_testing.conformance.store_limit_choices import LimitChoiceRules
from workflows_testing.conformance.store_limits import LimitRules
from workflows_testing.faulty.fault import ChangesWrites, Fault, with_store
from workflows_testing.faulty.rewriting import with_transition, with_work

__all__ = ["FAULTS"]

ANYTHING: Final = 1_000_000


class ChangesRequests(InMemoryWorkflowStore):
    """Claims something else than was asked for."""

    __slots__ = ("_change",)

    def __init__(self, memory: MemoryState, change: Callable[[ClaimRequest], ClaimRequest]) -> None:
        super().__init__(memory)
        self._change = change

    async def claim(self, request: ClaimRequest) -> list[Claim]:
        return await super().claim(self._change(request))


class ChangesClaims(InMemoryWorkflowStore):
    """Gives other claims than it made."""

    __slots__ = ("_change",)

    def __init__(self, memory: MemoryState, change: Callable[[list[Claim]], list[Claim]]) -> None:
        super().__init__(memory)
        self._change = change

    async def claim(self, request: ClaimRequest) -> list[Claim]:
        return self._change(await super().claim(request))


class ForgetsTheLease(InMemoryWorkflowStore):
    """Gives out work that somebody holds."""

    async def claim(self, request: ClaimRequest) -> list[Claim]:
        claims = await super().claim(request)
        await self.release(request.worker, [claimed.lease for claimed in claims])
        return claims


class StumblesWhenIdle(InMemoryWorkflowStore):
    async def claim(self, request: ClaimRequest) -> list[Claim]:
        claims = await super().claim(request)
        if not claims:
            msg = "no rows"
            raise LookupError(msg)
        return claims


class GivesByForce(InMemoryWorkflowStore):
    """Gives work items that are asked for by name without looking at them."""

    async def claim(self, request: ClaimRequest) -> list[Claim]:
        if request.items is None:
            return await super().claim(request)
        claims = []
        for ref in request.items:
            work = self.memory.instances[ref.instance_id.int].work[ref.number]
            self.memory.backlog.withdraw(work)
            self.memory.backlog.hold(work, request.worker, self.memory.clock.now(), request.lease_s)
            state = work.instance.state
            claims.append(Claim(work.item, state, work.fence, work.attempt, self.memory.clock.now()))
        return claims


class FiltersAfterTheLimit(InMemoryWorkflowStore):
    async def claim(self, request: ClaimRequest) -> list[Claim]:
        claims = await super().claim(replace(request, queues=None))
        return [claimed for claimed in claims if request.queues is None or claimed.item.queue in request.queues]


class LeavesStepsAfterTheLimit(InMemoryWorkflowStore):
    async def claim(self, request: ClaimRequest) -> list[Claim]:
        claims = await super().claim(replace(request, without=frozenset()))
        return [claimed for claimed in claims if _step(claimed) not in request.without]


class EitherFits(InMemoryWorkflowStore):
    async def claim(self, request: ClaimRequest) -> list[Claim]:
        if request.queues is None or request.codes is None:
            return await super().claim(request)
        by_queue = await super().claim(replace(request, codes=None))
        return by_queue + await super().claim(replace(request, queues=None))


class CountsAttemptsForEver(InMemoryWorkflowStore):
    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        before = {work: work.attempt for row in self.memory.instances.values() for work in row.work.values()}
        results = await super().commit(writes)
        for work, attempt in before.items():
            work.attempt = max(work.attempt, attempt)
        return results


class KeepsTheHolder(InMemoryWorkflowStore):
    """Work that is written anew stays with whoever held it."""

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        now = self.memory.clock.now()
        rows = [work for row in self.memory.instances.values() for work in row.work.values() if work.is_held(now)]
        before = [(work, work.worker) for work in rows]
        results = await super().commit(writes)
        for work, worker in before:
            if work.worker is None and worker is not None and work.item.number in work.instance.work:
                self.memory.backlog.withdraw(work)
                self.memory.backlog.hold(work, worker, now, 3600)
        return results


class StumblesOverMissingWork(InMemoryWorkflowStore):
    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        for write in writes:
            row = self.memory.instances.get(write.transition.state.id.int)
            for number, item in write.transition.work.items():
                if item is None and row is not None:
                    _ = row.work[number]
        return await super().commit(writes)


class ForgetsToGoOn(InMemoryWorkflowStore):
    """Work of an instance that was paused once is never given."""

    __slots__ = ("_paused",)

    def __init__(self, memory: MemoryState) -> None:
        super().__init__(memory)
        self._paused: set[int] = set()

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        states = [write.transition.state for write in writes]
        self._paused |= {state.id.int for state in states if state.status is WorkflowStatus.PAUSED}
        return await super().commit(writes)

    async def claim(self, request: ClaimRequest) -> list[Claim]:
        return [claimed for claimed in await super().claim(request) if claimed.state.id.int not in self._paused]


def _step(claimed: Claim) -> str:
    return step_key(claimed.state.workflow, claimed.state.version, claimed.item.step)


def _with_all_steps(request: ClaimRequest) -> ClaimRequest:
    return replace(request, without=frozenset())


def _without_limit(request: ClaimRequest) -> ClaimRequest:
    return replace(request, limit=ANYTHING)


def _zero_is_all(request: ClaimRequest) -> ClaimRequest:
    return replace(request, limit=request.limit or ANYTHING)


def _empty_is_all(request: ClaimRequest) -> ClaimRequest:
    return replace(
        request, queues=request.queues or None, codes=request.codes or None, items=request.items or None
    )  # fmt: skip


def _any_version(request: ClaimRequest) -> ClaimRequest:
    if request.codes is None:
        return request
    names = {code.split("@")[0] for code in request.codes}
    return replace(request, codes=frozenset(f"{name}@{major}.0.0" for name in names for major in range(1, 4)))


def _by_identity(claims: list[Claim]) -> list[Claim]:
    return sorted(claims, key=lambda claimed: (-claimed.item.priority, claimed.ref))


def _by_queue(claims: list[Claim]) -> list[Claim]:
    return sorted(claims, key=lambda claimed: claimed.item.queue)


def _blank(claims: list[Claim]) -> list[Claim]:
    return [
        replace(
            claimed,
            item=replace(claimed.item, queue="default", execution=0),
            state=replace(claimed.state, metadata=None),
        )
        for claimed in claims
    ]


def _counted_from_0(claims: list[Claim]) -> list[Claim]:
    return [replace(claimed, fence=claimed.fence - 1, attempt=claimed.attempt - 1) for claimed in claims]


def _always_the_first(claims: list[Claim]) -> list[Claim]:
    return [replace(claimed, fence=1, attempt=1) for claimed in claims]


def _twice(claims: list[Claim]) -> list[Claim]:
    return claims * 2


def _each(change: Callable[[WorkItem], WorkItem]) -> Callable[[MemoryState, Write], Write]:
    return lambda _memory, write: with_work(write, change)


def _at_once(item: WorkItem) -> WorkItem:
    return replace(item, delay_s=0.0, due_at=None)


def _a_little_late(item: WorkItem) -> WorkItem:
    return replace(item, delay_s=item.delay_s + 0.000001 if item.delay_s else 0.0)


def _without_moment(item: WorkItem) -> WorkItem:
    return replace(item, due_at=None)


def _in_another_zone(item: WorkItem) -> WorkItem:
    return replace(item, due_at=item.due_at and item.due_at.replace(tzinfo=UTC))


def _infinity_is_now(item: WorkItem) -> WorkItem:
    return replace(item, delay_s=0.0) if item.delay_s == math.inf else item


def _moments_never(item: WorkItem) -> WorkItem:
    return item if item.due_at is None else replace(item, due_at=None, delay_s=math.inf)


def _not_urgent(item: WorkItem) -> WorkItem:
    return replace(item, priority=0)


def _keep_deleted(_memory: MemoryState, write: Write) -> Write:
    kept = {number: item for number, item in write.transition.work.items() if item is not None}
    return with_transition(write, work=kept)


def _running(*statuses: WorkflowStatus) -> Callable[[MemoryState, Write], Write]:
    def change(_memory: MemoryState, write: Write) -> Write:
        state = write.transition.state
        if state.status not in statuses:
            return write
        return with_transition(write, state=replace(state, status=WorkflowStatus.RUNNING))

    return change


def _lease(seconds: float) -> Callable[[ClaimRequest], ClaimRequest]:
    return lambda request: replace(request, lease_s=seconds)


def _cut_lease(request: ClaimRequest) -> ClaimRequest:
    return replace(request, lease_s=math.floor(request.lease_s - 0.5))


def _without(field: str) -> Callable[[ClaimRequest], ClaimRequest]:
    return lambda request: replace(request, **{field: None})


FAULTS: Final[tuple[Fault, ...]] = (
    *(
        with_store(partial(ChangesRequests, change=change), name, ClaimRules, *more)
        for change, name, more in (
            (_without_limit, "gives more than asked for", (LimitChoiceRules,)),
            (_zero_is_all, "takes a limit of 0 for none", (LimitChoiceRules,)),
            (_empty_is_all, "takes an empty choice for none", ()),
            (_any_version, "takes one version of the code for another", ()),
            (_without("queues"), "serves all queues", (LimitChoiceRules,)),
            (_without("codes"), "serves all workflows", (LimitChoiceRules,)),
            (_with_all_steps, "gives steps whose code is lacking", (LimitChoiceRules,)),
            (_without("items"), "gives other work items than those asked for", ()),
            (_lease(1e9), "leases for ever", (LeaseRules,)),
            (_cut_lease, "cuts leases to seconds", (LeaseRules,)),
        )
    ),
    *(
        with_store(partial(ChangesClaims, change=change), name, ClaimRules)
        for change, name in (
            (_by_identity, "gives claims by their identity"),
            (_by_queue, "gives claims by their queue"),
            (lambda claims: claims[::-1], "gives claims last first"),
            (_blank, "forgets parts of what is to be done"),
            (_counted_from_0, "counts from 0"),
            (_always_the_first, "always takes a claim for the first"),
            (_twice, "gives claims twice"),
        )
    ),
    *(
        with_store(partial(ChangesWrites, change=change), name, ClaimRules, *more)
        for change, name, more in (
            (_each(_at_once), "ignores delays", (LeaseRules,)),
            (_each(_a_little_late), "is late by a microsecond", ()),
            (_each(_without_moment), "ignores moments", ()),
            (_each(_in_another_zone), "ignores the zone of a moment", ()),
            (_each(_infinity_is_now), "takes infinity for nothing", (LeaseRules,)),
            (_each(_moments_never), "never comes to moments", ()),
            (_each(_not_urgent), "ignores priorities", ()),
            (_keep_deleted, "keeps deleted work", (LimitRules,)),
            (_running(WorkflowStatus.PAUSED), "ignores a pause", (LeaseRules, LimitRules, LimitChoiceRules)),
            (
                _running(WorkflowStatus.FAILED),
                "goes on with an instance that is over",
                (LeaseRules, LimitRules, LimitChoiceRules),
            ),
        )
    ),
    with_store(ForgetsTheLease, "gives out what somebody holds", ClaimRules),
    with_store(StumblesWhenIdle, "cannot be without work", ClaimRules, crashes=True),
    with_store(GivesByForce, "gives what is asked for without looking", ClaimRules, crashes=True),
    with_store(FiltersAfterTheLimit, "chooses only after the limit", ClaimRules),
    with_store(LeavesStepsAfterTheLimit, "leaves steps out only after the limit", ClaimRules),
    with_store(EitherFits, "gives what fits in one respect", ClaimRules),
    with_store(CountsAttemptsForEver, "goes on counting attempts when work is written anew", ClaimRules),
    with_store(KeepsTheHolder, "leaves work that is written anew with its holder", ClaimRules),
    with_store(StumblesOverMissingWork, "cannot delete what is not there", ClaimRules, crashes=True),
    with_store(ForgetsToGoOn, "never goes on after a pause", ClaimRules),
)
