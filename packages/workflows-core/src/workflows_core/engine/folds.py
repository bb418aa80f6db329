"""What is folded: decisions about one instance, each made on the state after the one before, become one transition."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence, Set as AbstractSet

from msgspec.structs import replace

from workflows_core.domain.state import ROOT, InstanceState, Scope
from workflows_core.domain.transition import Transition, WorkItem
from workflows_core.ports.store import Held

__all__ = ["Decision", "Fold", "Line", "merged"]


class Decision(ABC):
    """A command for an instance, and what the kernel decides about it.

    Attributes:
        held: The work item under which it is decided; None for a request from outside.
        worker: Who holds that, and goes on with what follows; empty for nobody.
        lease_s: Seconds for which what follows is taken.
        seen: The state that its sender knows.
        transition: What was decided last, none before; after the commit, what was written.
        take: Numbers of the work items of its own part that the worker goes on with.
    """

    held: Held | None = None
    worker: str = ""
    lease_s: float = 0.0
    seen: InstanceState
    transition: Transition
    take: tuple[int, ...] = ()

    @abstractmethod
    def decide(self, state: InstanceState) -> None:
        """Decide on a state, and set ``transition`` and ``take``, and of a request who takes; an error is the answer to the sender."""


class Line:
    """What this process has written of an instance since it began to do so without a pause.

    What others know of the scopes of items is good here too, unless something was written of these since.
    """

    __slots__ = ("_dropped", "_since", "_touched")

    def __init__(self, revision: int) -> None:
        """Begin with a revision."""
        self._since = revision
        self._touched: dict[int, int] = {}
        self._dropped: list[range] = []

    @property
    def length(self) -> int:
        """How much it remembers of items."""
        return len(self._touched) + len(self._dropped)

    def note(self, transition: Transition) -> None:
        """Take note of what was written."""
        self._touched.update((item.id, transition.state.revision) for item in transition.items)
        self._dropped.extend(range(run.first, run.first + run.total) for run in transition.dropped_items)

    def joined(
        self, state: InstanceState, seen: InstanceState, *, besides: AbstractSet[int] = frozenset()
    ) -> InstanceState | None:
        """A state with the scopes of items that somebody knows, and with their data; None if they may have changed since.

        Args:
            state: What is stored, or what is about to be.
            seen: What somebody knows.
            besides: Items that what is about to be stored has changed or ended.
        """
        missing: dict[int, Scope] = {}
        for scope in seen.scopes.values():
            known = state.scopes.get(scope.id)
            if scope.home == ROOT or (known is not None and (known.data is not None or scope.data is None)):
                continue
            missing[scope.id] = scope if known is None else replace(known, data=scope.data)
        if not missing:
            return state
        homes = {scope.home for scope in missing.values()}
        if not homes.isdisjoint(besides):
            return None
        if seen.revision < self._since or any(self._touched.get(home, 0) > seen.revision for home in homes):
            return None
        if any(home in run for home in homes for run in self._dropped):
            return None
        return replace(state, scopes={**state.scopes, **missing})


class Fold:
    """Decisions that are to be written as one transition, each made on the state after the one before.

    Attributes:
        state: The state after the last one.
        decisions: All of them.
        items: Items that they have changed, made or ended.
        holds: The work items under which they were decided.
        worker: Who goes on with what follows; empty for nobody.
        take: The work items that it takes, each with the decision that it follows from.
    """

    __slots__ = ("_rewritten", "decisions", "holds", "items", "state", "take", "worker")

    def __init__(self, state: InstanceState) -> None:
        """Begin on a state."""
        self.state = state
        self.decisions: list[Decision] = []
        self.items: set[int] = set()
        self.holds: list[Held] = []
        self.worker = ""
        self.take: dict[int, Decision] = {}
        self._rewritten: set[int] = set()

    def takes(self, decision: Decision) -> bool:
        """Whether a decision that is made on ``state`` can be written with the others.

        It cannot if somebody else has caused it, if another worker goes on with what follows, or if its work item was written by one
        of the others: then its fence is no longer the newest. A record is not taken back and made anew in one transition.
        """
        if not self.decisions:
            return True
        held = decision.held
        if decision.transition.reopened or self.decisions[-1].transition.reopened:
            return False
        if decision.transition.actor != self.decisions[0].transition.actor:
            return False
        if held is not None and held.number in self._rewritten:
            return False
        return not decision.worker or decision.worker == self.worker or not self.worker

    def add(self, decision: Decision) -> None:
        """Write a decision with the others."""
        self.decisions.append(decision)
        self.state = decision.transition.state
        self.items.update(item.id for item in decision.transition.items)
        for run in decision.transition.dropped_items:
            self.items.update(range(run.first, run.first + run.total))
        self._rewritten.update(decision.transition.work)
        self.worker = self.worker or decision.worker
        for number in decision.transition.work:
            before = self.take.pop(number, None)
            if before is not None:
                before.take = tuple(taken for taken in before.take if taken != number)
        self.take.update(dict.fromkeys(decision.take, decision))
        if decision.held is not None:
            self.holds.append(decision.held)

    def transition(self) -> Transition:
        """The one transition."""
        return merged([decision.transition for decision in self.decisions])


def merged(transitions: Sequence[Transition]) -> Transition:
    """One transition that does what several do, each of which was decided on the state after the one before."""
    first, *others = transitions
    for following in others:
        first = _followed(first, following)
    return first


def _followed(first: Transition, second: Transition) -> Transition:
    gone = [range(run.first, run.first + run.total) for run in second.dropped_items]
    items = {item.id: item for item in first.items if not any(item.id in run for run in gone)}
    for item in second.items:
        known = items.get(item.id)
        # Without data: those that are stored stay, and these are not stored yet.
        items[item.id] = item if item.data is not None or known is None else replace(item, data=known.data)
    finished = {run.number for run in first.executions}
    results = {item: raw for item, raw in first.item_results.items() if not any(item in run for run in gone)}
    return Transition(
        replace(second.state, revision=first.state.revision),
        first.actor,
        first.data_changed or second.data_changed,
        tuple(items[item] for item in sorted(items)),
        {**results, **second.item_results},
        (*first.dropped_items, *second.dropped_items),
        (*(run for run in first.executions if run.number not in second.reopened), *second.executions),
        {**first.work, **{number: _rewritten(first, number, item) for number, item in second.work.items()}},
        (*first.opened, *second.opened),
        (*first.tasks, *second.tasks),
        (*first.events, *second.events),
        (*first.reopened, *(number for number in second.reopened if number not in finished)),
    )


def _rewritten(first: Transition, number: int, item: WorkItem | None) -> WorkItem | None:
    """A work item that was written or deleted before and not stored yet: the limit that it keeps is the one that was written then."""
    if item is None or not item.keeps_timeout or number not in first.work:
        return item
    before = first.work[number]
    if before is None:
        return replace(item, keeps_timeout=False)
    return replace(item, timeout_s=before.timeout_s, keeps_timeout=before.keeps_timeout)
