"""Faults of time limits: when time is over, who is told, and how often."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from msgspec.structs import replace

from workflows_core.adapters.memory import InMemoryWorkflowStore, MemoryState
from workflows_core.adapters.memory.rows import WorkRow
from workflows_core.domain.state import ROOT
from workflows_core.domain.transition import WorkItem, WorkKind
from workflows_core.ports.executor import WorkRef
from workflows_core.ports.leases import Lease
from workflows_core.ports.store import Claim, ClaimRequest, Write, WriteResult
from workflows_testing.conformance.store_limit_choices import LimitChoiceRules
from workflows_testing.conformance.store_limit_rewrites import LimitRewriteRules
from workflows_testing.conformance.store_limits import LimitRules
from workflows_testing.faulty.claims import ChangesClaims
from workflows_testing.faulty.fault import ChangesWrites, Fault, with_store
from workflows_testing.faulty.rewriting import with_work

__all__ = ["FAULTS"]


def _rows(memory: MemoryState) -> Iterator[WorkRow]:
    for row in memory.instances.values():
        yield from row.work.values()


def _row(memory: MemoryState, ref: WorkRef) -> WorkRow:
    return memory.instances[ref.instance_id.int].work[ref.number]


def _limit(memory: MemoryState, row: WorkRow, limit: datetime | None) -> None:
    """Give a work item another limit."""
    memory.backlog.unqueue(row)
    row.limit = limit
    memory.backlog.follow(row, memory.clock.now())


class LeavesHolders(InMemoryWorkflowStore):
    """Never takes work from its holder."""

    async def claim(self, request: ClaimRequest) -> list[Claim]:
        now = self.memory.clock.now()
        spared = [(row, row.limit) for row in _rows(self.memory) if row.is_over(now) and row.is_held(now)]
        for row, _ in spared:
            _limit(self.memory, row, None)
        claims = await super().claim(request)
        for row, limit in spared:
            _limit(self.memory, row, limit)
        return claims


class ChangesAfterTelling(InMemoryWorkflowStore):
    """Changes work items of which it has told that their time is over."""

    __slots__ = ("_change",)

    def __init__(self, memory: MemoryState, change: Callable[[MemoryState, WorkRow], None]) -> None:
        super().__init__(memory)
        self._change = change

    async def claim(self, request: ClaimRequest) -> list[Claim]:
        claims = await super().claim(request)
        for claimed in claims:
            if claimed.item.kind is WorkKind.EXPIRE:
                self._change(self.memory, _row(self.memory, claimed.ref))
        return claims


class ReleasesOtherLimits(InMemoryWorkflowStore):
    """Gives work that is released another limit."""

    __slots__ = ("_change",)

    def __init__(self, memory: MemoryState, change: Callable[[WorkRow, datetime], datetime | None]) -> None:
        super().__init__(memory)
        self._change = change

    async def release(
        self, worker: str, leases: Sequence[Lease], *, delay_s: float = 0.0, untouched: bool = False
    ) -> None:
        await super().release(worker, leases, delay_s=delay_s, untouched=untouched)
        for row in [_row(self.memory, lease.ref) for lease in leases]:
            _limit(self.memory, row, self._change(row, self.memory.clock.now()))


class RenewsLimits(InMemoryWorkflowStore):
    async def renew(self, worker: str, lease_s: float) -> set[Lease]:
        held = await super().renew(worker, lease_s)
        for row in [_row(self.memory, lease.ref) for lease in held]:
            _limit(self.memory, row, row.lease_until)
        return held


class ForgetsWhenItLooks(InMemoryWorkflowStore):
    """Whoever asks what is due spends the limits that are over: they are told only if the work is due or released as it is."""

    async def next_due(
        self,
        *,
        queues: frozenset[str] | None = None,
        codes: frozenset[str] | None = None,
        without: frozenset[str] = frozenset(),
    ) -> float | None:
        due = await super().next_due(queues=queues, codes=codes, without=without)
        for row in list(_rows(self.memory)):
            if row.is_over(self.memory.clock.now()):
                _limit(self.memory, row, None)
        return due


class DueWithoutLimits(InMemoryWorkflowStore):
    """Forgets limits in what is due."""

    async def next_due(
        self,
        *,
        queues: frozenset[str] | None = None,
        codes: frozenset[str] | None = None,
        without: frozenset[str] = frozenset(),
    ) -> float | None:
        limits = [(row, row.limit) for row in _rows(self.memory)]
        for row, _ in limits:
            _limit(self.memory, row, None)
        due = await super().next_due(queues=queues, codes=codes, without=without)
        for row, limit in limits:
            _limit(self.memory, row, limit)
        return due


class DecidesByTheFirst(InMemoryWorkflowStore):
    """Keeps the limits of a whole batch, or none of them."""

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        kept = [item.keeps_timeout for write in writes for item in write.transition.work.values() if item is not None]
        first = bool(kept) and kept[0]
        return await super().commit(
            [with_work(write, lambda item: replace(item, keeps_timeout=first)) for write in writes]
        )


class StaysExpired(InMemoryWorkflowStore):
    """Work that is written anew is expired still."""

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        expired = [row for row in _rows(self.memory) if row.is_expired]
        results = await super().commit(writes)
        for row in expired:
            row.is_expired = True
        return results


def _again(memory: MemoryState, row: WorkRow) -> None:
    _limit(memory, row, row.due)


def _forget(_memory: MemoryState, row: WorkRow) -> None:
    row.is_expired = False


def _lower_fence(_memory: MemoryState, row: WorkRow) -> None:
    row.fence -= 1


def _without_scopes(claims: list[Claim]) -> list[Claim]:
    return [
        replace(claimed, state=replace(claimed.state, scopes={ROOT: claimed.state.scopes[ROOT]}))
        if claimed.item.kind is WorkKind.EXPIRE
        else claimed
        for claimed in claims
    ]


def _expired_first(claims: list[Claim]) -> list[Claim]:
    return sorted(claims, key=lambda claimed: claimed.item.kind is not WorkKind.EXPIRE)


def _as_written(claims: list[Claim]) -> list[Claim]:
    return [replace(claimed, item=replace(claimed.item, kind=WorkKind.RUN)) for claimed in claims]


def _untold(claims: list[Claim]) -> list[Claim]:
    return [replace(claimed, item=_without_limit(claimed.item)) for claimed in claims]


def _told_in_full(claims: list[Claim]) -> list[Claim]:
    return [replace(one, item=replace(one.item, timeout_s=one.item.timeout_s and 60.0)) for one in claims]


def _each(change: Callable[[WorkItem], WorkItem]) -> Callable[[MemoryState, Write], Write]:
    return lambda _memory, write: with_work(write, change)


def _scaled(factor: float, more_s: float) -> Callable[[MemoryState, Write], Write]:
    def change(item: WorkItem) -> WorkItem:
        return item if item.timeout_s is None else replace(item, timeout_s=item.timeout_s * factor + more_s)

    return _each(change)


def _without_limit(item: WorkItem) -> WorkItem:
    return replace(item, timeout_s=None)


def _limited(item: WorkItem) -> WorkItem:
    return replace(item, timeout_s=3600.0 if item.timeout_s is None else item.timeout_s)


def _when_due(item: WorkItem) -> WorkItem:
    return item if item.delay_s in (0.0, math.inf) else replace(item, timeout_s=None)


def _when_ever_due(item: WorkItem) -> WorkItem:
    return replace(item, timeout_s=None) if item.delay_s == math.inf else item


def _anew(item: WorkItem) -> WorkItem:
    return replace(item, keeps_timeout=False)


def _kept(item: WorkItem) -> WorkItem:
    return replace(item, keeps_timeout=True)


def _taken_without(_memory: MemoryState, write: Write) -> Write:
    taken = frozenset(write.take)
    return with_work(write, lambda item: _anew(_without_limit(item)) if item.number in taken else item)


def _kept_unless(
    loses: Callable[[WorkRow | None, WorkItem, datetime], bool], lost: Callable[[WorkItem], WorkItem]
) -> Callable[[MemoryState, Write], Write]:
    """Limits are kept, but not those of work items for which ``loses`` holds."""

    def change(memory: MemoryState, write: Write) -> Write:
        row, now = memory.instances.get(write.transition.state.id.int), memory.clock.now()

        def changed(item: WorkItem) -> WorkItem:
            before = row.work.get(item.number) if row is not None else None
            return lost(item) if item.keeps_timeout and loses(before, item, now) else item

        return with_work(write, changed)

    return change


def _gone(item: WorkItem) -> WorkItem:
    return replace(item, timeout_s=None, keeps_timeout=False)


FAULTS: Final[tuple[Fault, ...]] = (
    with_store(
        partial(ChangesWrites, change=_each(_without_limit)),
        "has no limits",
        LimitRules,
        LimitRewriteRules,
        LimitChoiceRules,
    ),
    with_store(
        partial(ChangesClaims, change=_as_written), "does not tell that time is over", LimitRules, LimitRewriteRules
    ),
    with_store(partial(ChangesClaims, change=_untold), "does not tell what is left of a time", LimitRules),
    with_store(partial(ChangesClaims, change=_told_in_full), "tells the whole time for what is left", LimitRules),
    *(
        with_store(partial(ChangesWrites, change=change), name, LimitRules)
        for change, name in (
            (_scaled(1.0, -0.000001), "tells a microsecond early that time is over"),
            (_scaled(1.0, 0.000001), "tells a microsecond late that time is over"),
            (_scaled(0.5, 0.0), "halves limits"),
            (_each(_limited), "limits all work"),
            (_each(_when_due), "has no limits for what is not due"),
            (_each(_when_ever_due), "has no limits for what is never due"),
        )
    ),
    with_store(LeavesHolders, "leaves work to its holder for ever", LimitRules, LimitChoiceRules),
    with_store(partial(ChangesAfterTelling, change=_again), "tells again and again", LimitRules, LimitChoiceRules),
    with_store(partial(ChangesAfterTelling, change=_forget), "forgets that it told", LimitRules),
    with_store(partial(ChangesAfterTelling, change=_lower_fence), "takes work without raising the fence", LimitRules),
    with_store(partial(ChangesClaims, change=_without_scopes), "brings no scopes with expired work", LimitRules),
    with_store(
        partial(ReleasesOtherLimits, change=lambda row, _now: row.limit and row.due),
        "lets a release move the limit",
        LimitRules,
    ),
    with_store(
        partial(ReleasesOtherLimits, change=lambda row, now: None if row.is_over(now) else row.limit),
        "forgets a limit that is over when work is released",
        LimitRules,
    ),
    with_store(RenewsLimits, "lets a renewal move the limit", LimitRules),
    with_store(ForgetsWhenItLooks, "spends limits when it looks", LimitRules, LimitRewriteRules),
    with_store(partial(ChangesWrites, change=_each(_anew)), "keeps no limit", LimitRewriteRules),
    with_store(partial(ChangesWrites, change=_each(_kept)), "keeps every limit", LimitRewriteRules, LimitChoiceRules),
    with_store(partial(ChangesWrites, change=_taken_without), "takes work without its limit", LimitRewriteRules),
    *(
        with_store(partial(ChangesWrites, change=_kept_unless(loses, lost)), name, LimitRewriteRules)
        for loses, lost, name in (
            (lambda before, _item, _now: before is None, _gone, "gives new work that keeps its limit none"),
            (
                lambda before, _item, _now: before is not None and before.limit is None and not before.is_expired,
                _anew,
                "gives work that keeps no limit one",
            ),
            (
                lambda before, _item, now: before is not None and before.is_over(now),
                _gone,
                "does not keep a limit that is over",
            ),
            (
                lambda before, _item, _now: before is not None and before.is_expired,
                _gone,
                "does not keep a limit that was told",
            ),
            (
                lambda before, item, _now: before is not None and before.item.queue != item.queue,
                _gone,
                "does not keep the limit of work that moves to another queue",
            ),
        )
    ),
    with_store(DecidesByTheFirst, "keeps all limits of a batch or none", LimitRewriteRules),
    with_store(StaysExpired, "leaves work that is written anew expired", LimitRewriteRules),
    with_store(DueWithoutLimits, "forgets limits in what is due", LimitChoiceRules),
    with_store(partial(ChangesClaims, change=_expired_first), "gives expired work first", LimitChoiceRules),
)
