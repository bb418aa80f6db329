"""Faults of the turns of tenants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeAlias

from msgspec.structs import replace

from workflows_core.adapters.memory import InMemoryWorkflowStore, MemoryState
from workflows_core.adapters.memory.backlog import Selection
from workflows_core.adapters.memory.rows import WorkRow
from workflows_core.ports.store import Claim, ClaimRequest
from workflows_core.ports.turns import LastTurns, Turns, in_turn
from workflows_testing.conformance.store_fairness import FairnessRules
from workflows_testing.faulty.claims import ForgetsTheLease
from workflows_testing.faulty.fault import Fault, with_store

__all__ = ["FAULTS"]

A_FEW: Final = 16

Choice: TypeAlias = Callable[[list[WorkRow], datetime, LastTurns], Sequence[WorkRow]]


class ChoosesOtherwise(InMemoryWorkflowStore):
    """Chooses among all that is due in a way of its own."""

    __slots__ = ("_choose",)

    def __init__(self, memory: MemoryState, choose: Choice) -> None:
        super().__init__(memory)
        self._choose = choose

    async def claim(self, request: ClaimRequest) -> list[Claim]:
        if request.items is not None:
            return await super().claim(request)
        now, selection = self.memory.clock.now(), Selection(request.queues, request.codes, request.without)
        rows = [work for row in self.memory.instances.values() for work in row.work.values()]
        due = [work for work in rows if self.memory.backlog.is_claimable(work, selection, now)]
        chosen = self._choose(due, now, self._turns.last(request))[: request.limit]
        claims: list[Claim] = []
        for work in chosen:
            claims += await super().claim(replace(request, items=(work.ref,)))
        self._turns.go_on(request, claims)
        return claims


class BeginsAnew(InMemoryWorkflowStore):
    """Forgets who had the last turn."""

    async def claim(self, request: ClaimRequest) -> list[Claim]:
        self._turns = Turns()
        return await super().claim(request)


class HasOtherTurns(InMemoryWorkflowStore):
    """Remembers turns in another way."""

    def __init__(self, memory: MemoryState, turns: Callable[[], Turns]) -> None:
        super().__init__(memory)
        self._turns = turns()


class OneChoice(Turns):
    """Remembers one turn for all choices."""

    def last(self, request: ClaimRequest) -> LastTurns:
        return super().last(replace(request, queues=None))

    def go_on(self, request: ClaimRequest, claims: Iterable[Claim]) -> None:
        super().go_on(replace(request, queues=None), claims)


class OnePriority(Turns):
    """Remembers one turn for all priorities."""

    def __init__(self) -> None:
        super().__init__()
        self._tenant = ""

    def last(self, request: ClaimRequest) -> LastTurns:
        return dict.fromkeys(range(-10, 11), self._tenant)

    def go_on(self, request: ClaimRequest, claims: Iterable[Claim]) -> None:
        for claimed in claims:
            self._tenant = claimed.state.tenant


class VisitsAFew(InMemoryWorkflowStore):
    """Looks at the work of the first tenants only, whether it can be given or not."""

    async def claim(self, request: ClaimRequest) -> list[Claim]:
        rows = [work for row in self.memory.instances.values() for work in row.work.values() if work.worker is None]
        tenants = sorted({work.instance.state.tenant for work in rows})[:A_FEW]
        items = tuple(work.ref for work in rows if work.instance.state.tenant in tenants)
        return await super().claim(replace(request, items=items))


class AsksInTurn(InMemoryWorkflowStore):
    """Gives work that is asked for as if tenants took turns for it."""

    async def claim(self, request: ClaimRequest) -> list[Claim]:
        claims = await super().claim(request)
        order = {claimed.ref: place for place, claimed in enumerate(claims)}
        return in_turn(
            claims,
            lambda claimed: (0, claimed.at, claimed.state.id, order[claimed.ref]),
            lambda claimed: claimed.state.tenant,
            {},
        )


def _moment(work: WorkRow, now: datetime) -> datetime:
    return (work.limit if work.is_over(now) else work.due) or now


def _due(work: WorkRow, now: datetime) -> tuple[Any, ...]:
    return -work.item.priority, _moment(work, now), work.instance.state.id, work.item.number


def _tenant(work: WorkRow) -> str:
    return work.instance.state.tenant


def _by_moment(due: list[WorkRow], now: datetime, _last: LastTurns) -> Sequence[WorkRow]:
    return sorted(due, key=lambda work: _due(work, now))


def _turns_over_priorities(due: list[WorkRow], now: datetime, last: LastTurns) -> Sequence[WorkRow]:
    return in_turn(due, lambda work: (0, *_due(work, now)[1:]), _tenant, last)


def _newest_first(due: list[WorkRow], now: datetime, last: LastTurns) -> Sequence[WorkRow]:
    def newest(work: WorkRow) -> tuple[int, datetime, Any, int]:
        urgency, moment, instance, number = _due(work, now)
        return urgency, now - (moment - now), instance, number

    return in_turn(due, newest, _tenant, last)


def _of_a_few(due: list[WorkRow], now: datetime, last: LastTurns) -> Sequence[WorkRow]:
    tenants = sorted({_tenant(work) for work in due})[:A_FEW]
    return _in_turn([work for work in due if _tenant(work) in tenants], now, last)


def _one_of_each(due: list[WorkRow], now: datetime, last: LastTurns) -> Sequence[WorkRow]:
    given: Counter[str] = Counter()
    found = []
    for work in _in_turn(due, now, last):
        given[_tenant(work)] += 1
        if given[_tenant(work)] == 1:
            found.append(work)
    return found


def _in_turn(due: list[WorkRow], now: datetime, last: LastTurns) -> Sequence[WorkRow]:
    return in_turn(due, lambda work: _due(work, now), _tenant, last)


def _before_turns(is_first: Callable[[WorkRow, datetime], bool]) -> Choice:
    """Some work comes before all that takes turns, by its moment."""

    def choose(due: list[WorkRow], now: datetime, last: LastTurns) -> Sequence[WorkRow]:
        first = [work for work in due if is_first(work, now)]
        others = [work for work in due if not is_first(work, now)]
        return [*_by_moment(first, now, last), *_in_turn(others, now, last)]

    return choose


def _lapsed(work: WorkRow, now: datetime) -> bool:
    return work.attempt > 0 and work.worker is not None and not work.is_over(now)


def _given_back(work: WorkRow, _now: datetime) -> bool:
    return work.attempt > 0 and work.worker is None


def _delayed(work: WorkRow, _now: datetime) -> bool:
    return work.item.delay_s > 0


FAULTS: Final[tuple[Fault, ...]] = (
    *(
        with_store(partial(ChoosesOtherwise, choose=choose), name, FairnessRules)
        for choose, name in (
            (_by_moment, "knows no turns of tenants"),
            (_turns_over_priorities, "lets tenants take turns whatever is urgent"),
            (_newest_first, "gives the newest work of a tenant first"),
            (_of_a_few, "gives work of a few tenants at a time"),
            (_one_of_each, "gives one work item of each tenant at most"),
            (_before_turns(_lapsed), "gives work of dead workers out of turn"),
            (_before_turns(_given_back), "gives work that was given back out of turn"),
            (_before_turns(_delayed), "gives work that has come due out of turn"),
            (_before_turns(WorkRow.is_over), "gives work whose time is over out of turn"),
        )
    ),
    with_store(BeginsAnew, "begins the turns of tenants anew in each claim", FairnessRules),
    with_store(partial(HasOtherTurns, turns=OneChoice), "has one turn for all queues", FairnessRules),
    with_store(partial(HasOtherTurns, turns=OnePriority), "has one turn for all priorities", FairnessRules),
    with_store(VisitsAFew, "visits a few tenants only", FairnessRules),
    with_store(AsksInTurn, "lets tenants take turns for what is asked for", FairnessRules),
    with_store(ForgetsTheLease, "gives out what somebody holds to several tenants", FairnessRules),
)
