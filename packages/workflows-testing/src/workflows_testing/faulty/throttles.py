"""Faults of slots and rates: who has to wait, and for what."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from workflows_core.adapters.memory import InMemoryWorkflowStore, MemoryState
from workflows_core.adapters.memory.backlog import Backlog
from workflows_core.adapters.memory.rows import InstanceRow, WorkRow
from workflows_core.adapters.memory.throttles import Rates, SlotsInUse
from workflows_core.adapters.memory.times import LAST_MOMENT
from workflows_core.domain.transition import Rate, WorkItem
from workflows_core.ports.leases import Lease
from workflows_core.ports.store import Claim, ClaimRequest, Write
from workflows_testing.conformance.store_admissions import AdmissionRules
from workflows_testing.conformance.store_rates import RateRules
from workflows_testing.conformance.store_slots import SlotRules
from workflows_testing.faulty.fault import ChangesWrites, Fault, with_store
from workflows_testing.faulty.rewriting import with_work

__all__ = ["FAULTS"]


Waits = Callable[[MemoryState, WorkRow, datetime, datetime | None], datetime | None]
"""Until when a work item of a memory has to wait, at a moment, where the sound store says something."""


class _OddBacklog(Backlog):
    """Decides otherwise whether a work item has to wait."""

    __slots__ = ("change",)

    change: Callable[[WorkRow, datetime, datetime | None], datetime | None]

    def _waits_until(self, row: WorkRow, slots: SlotsInUse, now: datetime) -> datetime | None:
        return self.change(row, now, super()._waits_until(row, slots, now))


def _with_backlog(memory: MemoryState, change: Waits) -> InMemoryWorkflowStore:
    memory.backlog = backlog = _OddBacklog()
    backlog.change = partial(change, memory)
    return InMemoryWorkflowStore(memory)


class _OddRates(Rates):
    """Counts otherwise."""

    __slots__ = ("change",)

    change: Callable[[Rate], Rate]

    def allowed_at(self, rate: Rate | None) -> datetime | None:
        return super().allowed_at(None if rate is None else self.change(rate))

    def take(self, rate: Rate | None, now: datetime) -> None:
        super().take(None if rate is None else self.change(rate), now)


def _with_rates(memory: MemoryState, change: Callable[[Rate], Rate]) -> InMemoryWorkflowStore:
    memory.backlog._rates = rates = _OddRates()
    rates.change = change
    return InMemoryWorkflowStore(memory)


def _without(request: ClaimRequest, field: str) -> ClaimRequest:
    return replace(request, **{field: None})


class SavesUp(Rates):
    """Lets a pause count without end."""

    def take(self, rate: Rate | None, now: datetime) -> None:
        before = self._expected.get(rate.key) if rate is not None else None
        super().take(rate, now if before is None else min(before, now))


class SavesUpStore(InMemoryWorkflowStore):
    def __init__(self, memory: MemoryState) -> None:
        super().__init__(memory)
        memory.backlog._rates = SavesUp()


class AnswersWhatIsAskedFor(InMemoryWorkflowStore):
    """Gives work items that are asked for whether they have to wait or not."""

    async def claim(self, request: ClaimRequest) -> list[Claim]:
        if request.items is None:
            return await super().claim(request)
        asked = [row for row in _rows(self.memory) if row.ref in request.items]
        _rewrite(self.memory, asked, lambda item: replace(item, slot=None, rate=None, admission=None))
        return await super().claim(request)


class ChoosesOtherwise(InMemoryWorkflowStore):
    """Claims something else than it is asked for."""

    __slots__ = ("_change",)

    def __init__(self, memory: MemoryState, change: Callable[[ClaimRequest], ClaimRequest]) -> None:
        super().__init__(memory)
        self._change = change

    async def claim(self, request: ClaimRequest) -> list[Claim]:
        return await super().claim(self._change(request))


class ForgetsRenewals(InMemoryWorkflowStore):
    async def renew(self, worker: str, lease_s: float) -> set[Lease]:
        return set()


class TellsOtherMoments(InMemoryWorkflowStore):
    """Says something else of what is due next as soon as anything is."""

    __slots__ = ("_told",)

    def __init__(self, memory: MemoryState, told: float | None) -> None:
        super().__init__(memory)
        self._told = told

    async def next_due(self, **wanted: Any) -> float | None:
        now = self.memory.clock.now()
        ready = [row for row in _rows(self.memory) if row.due is not None and row.due <= now and not row.is_held(now)]
        return self._told if ready else await super().next_due(**wanted)


def _rows(memory: MemoryState) -> list[WorkRow]:
    return [row for instance in memory.instances.values() for row in instance.work.values()]


def _rewrite(memory: MemoryState, rows: Iterable[WorkRow], change: Callable[[WorkItem], WorkItem]) -> None:
    now = memory.clock.now()
    for row in rows:
        memory.backlog.unqueue(row)
        row.item = change(row.item)
        memory.backlog.follow(row, now)


def _beside(memory: MemoryState, row: WorkRow) -> list[WorkRow]:
    """The other work items of the same slot."""
    slot = row.item.slot
    return [other for other in _rows(memory) if other is not row and slot is not None and other.item.slot == slot]


def _released_stays(memory: MemoryState, row: WorkRow, _now: datetime, waits: datetime | None) -> datetime | None:
    slot = row.item.slot
    taken = [other for other in _beside(memory, row) if other.fence]
    return LAST_MOMENT if slot is not None and len(taken) >= slot.limit else waits


def _lapsed_stays(memory: MemoryState, row: WorkRow, _now: datetime, waits: datetime | None) -> datetime | None:
    slot = row.item.slot
    taken = [other for other in (*_beside(memory, row), row) if other.worker is not None]
    return LAST_MOMENT if slot is not None and len(taken) >= slot.limit else waits


def _over_stays(memory: MemoryState, row: WorkRow, _now: datetime, waits: datetime | None) -> datetime | None:
    admission = row.item.admission
    if admission is None:
        return waits
    others = [other for other in _instances(memory) if other is not row.instance]
    taken = [other for other in others if other.state.status.is_final]
    return LAST_MOMENT if len(taken) >= admission.limit else waits


def _behind_others(memory: MemoryState, row: WorkRow, _now: datetime, waits: datetime | None) -> datetime | None:
    others = [other for other in _rows(memory) if other.item.admission and other.instance is not row.instance]
    is_first = all(other.item.priority <= row.item.priority for other in others)
    return waits if row.item.admission is None or is_first else LAST_MOMENT


def _instances(memory: MemoryState) -> list[InstanceRow]:
    return list(memory.instances.values())


def _waits_for_ever(_memory: MemoryState, row: WorkRow, now: datetime, waits: datetime | None) -> datetime | None:
    return LAST_MOMENT if row.item.is_throttled and row.is_over(now) else waits


class OrdinaryFirst(InMemoryWorkflowStore):
    """Gives work that could wait only when there is no other."""

    is_throttled_first = False

    async def claim(self, request: ClaimRequest) -> list[Claim]:
        now = self.memory.clock.now()
        ready = [row for row in _rows(self.memory) if row.due is not None and row.due <= now and not row.is_held(now)]
        first = [row for row in ready if row.item.is_throttled is self.is_throttled_first]
        if request.items is not None or not first:
            return await super().claim(request)
        return await super().claim(replace(request, items=tuple(row.ref for row in first)))


class ThrottledFirst(OrdinaryFirst):
    is_throttled_first = True


def _each(change: Callable[[WorkItem], WorkItem]) -> Callable[[MemoryState, Write], Write]:
    return lambda _memory, write: with_work(write, change)


def _loses(name: str) -> Callable[[MemoryState, Write], Write]:
    return _each(lambda item: replace(item, **{name: None}))


def _same_slot(item: WorkItem) -> WorkItem:
    return item if item.slot is None else replace(item, slot=replace(item.slot, key="one"))


def _same_admission(item: WorkItem) -> WorkItem:
    return item if item.admission is None else replace(item, admission=replace(item.admission, key="one"))


def _as_slot(item: WorkItem) -> WorkItem:
    return replace(item, admission=None, slot=item.admission)


def _same_rate(item: WorkItem) -> WorkItem:
    return item if item.rate is None else replace(item, rate=replace(item.rate, key="one"))


def _keeps_slot(memory: MemoryState, write: Write) -> Write:
    row = memory.instances.get(write.transition.state.id.int)

    def kept(item: WorkItem) -> WorkItem:
        work = row.work.get(item.number) if row is not None else None
        return item if work is None or work.item.slot is None else replace(item, slot=work.item.slot)

    return with_work(write, kept)


def _one_more(item: WorkItem) -> WorkItem:
    return item if item.slot is None else replace(item, slot=replace(item.slot, limit=item.slot.limit + 1))


def _slower(rate: Rate) -> Rate:
    return replace(rate, per_s=rate.per_s * 1.5)


FAULTS: Final[tuple[Fault, ...]] = (
    *(
        with_store(partial(ChangesWrites, change=change), name, *areas)
        for change, name, areas in (
            (_loses("slot"), "loses WorkItem.slot", (SlotRules, RateRules)),
            (_loses("rate"), "loses WorkItem.rate", (RateRules,)),
            (_each(_same_slot), "has one slot for all keys", (SlotRules,)),
            (_each(_same_rate), "has one rate for all keys", (RateRules,)),
            (_each(_one_more), "has a slot too many", (SlotRules,)),
            (_loses("admission"), "loses WorkItem.admission", (AdmissionRules,)),
            (_each(_same_admission), "has one slot for all instances", (AdmissionRules,)),
            (_each(_as_slot), "frees the slot of an instance with its lease", (AdmissionRules,)),
            (_keeps_slot, "keeps the slot of work that is written anew", (SlotRules,)),
            (
                _each(lambda item: replace(item, priority=0)),
                "does not see what is urgent among slots",
                (SlotRules, AdmissionRules),
            ),
            (_each(lambda item: replace(item, delay_s=0.0)), "gives slots before their moment", (SlotRules,)),
        )
    ),
    *(
        with_store(partial(_with_backlog, change=change), name, *areas)
        for change, name, areas in (
            (_released_stays, "keeps a slot that was given back", (SlotRules,)),
            (_lapsed_stays, "keeps the slot of a dead worker", (SlotRules,)),
            (_waits_for_ever, "lets work wait whose time is over", (SlotRules, RateRules, AdmissionRules)),
            (_over_stays, "keeps the slot of an instance that is over", (AdmissionRules,)),
            (_behind_others, "lets the work of an admitted instance wait for others", (AdmissionRules,)),
        )
    ),
    with_store(SavesUpStore, "saves up a rate without end", RateRules),
    with_store(partial(_with_rates, change=_slower), "counts a rate too slowly", RateRules),
    with_store(AnswersWhatIsAskedFor, "gives what is asked for without a slot", SlotRules, RateRules, AdmissionRules),
    with_store(OrdinaryFirst, "never comes to work that needs a slot", SlotRules),
    with_store(ThrottledFirst, "never comes to ordinary work", SlotRules),
    with_store(ForgetsRenewals, "loses a slot although its lease is renewed", SlotRules),
    *(
        with_store(
            partial(ChoosesOtherwise, change=partial(_without, field=field)), f"gives slots in all {field}", SlotRules
        )
        for field in ("queues", "codes")
    ),
    with_store(partial(TellsOtherMoments, told=0.0), "says that work is due that has to wait", SlotRules, RateRules),
    with_store(partial(TellsOtherMoments, told=None), "forgets to say that work is due", SlotRules, RateRules),
)
