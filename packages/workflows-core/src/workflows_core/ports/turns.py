"""Tenants take turns: the order in which a store claims work of equal priority.

Of each tenant what has been due longest comes first. The first of every tenant comes before the second of any, and so on; among those the
tenants follow each other by their names, from the one on that comes after the tenant that had the last turn. So whoever has much to do
delays another by one work item at most, and with one tenant alone it is the order in which work came due.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from operator import itemgetter
from typing import Any, Final, TypeAlias, TypeVar
from uuid import UUID

from workflows_core.domain.transition import WorkKind
from workflows_core.ports.store import Claim, ClaimRequest

__all__ = ["Due", "LastTurns", "Turns", "in_turn"]

T = TypeVar("T")

Due: TypeAlias = tuple[int, datetime, UUID, int]
"""Sorts the work of one tenant: urgency (the priority, negated), moment, instance, number."""

LastTurns: TypeAlias = Mapping[int, str]
"""Which tenant had the last turn, by priority."""

_Choice: TypeAlias = tuple[frozenset[str] | None, frozenset[str] | None, frozenset[str]]

_MOST: Final = 64
"""How many choices, and priorities of each, are remembered."""


def in_turn(found: Iterable[T], due: Callable[[T], Due], tenant: Callable[[T], str], last: LastTurns) -> list[T]:
    """Sort what was found into the order of claims.

    Args:
        found: Work items, of each tenant the first ones.
        due: Where one stands among those of its tenant.
        tenant: Whose it is.
        last: Who had the last turn.
    """
    turns: Counter[tuple[int, str]] = Counter()
    places: list[tuple[tuple[Any, ...], T]] = []
    for one in sorted(found, key=due):
        urgency, name = due(one)[0], tenant(one)
        places.append(((urgency, turns[urgency, name], name <= last.get(-urgency, ""), name), one))
        turns[urgency, name] += 1
    places.sort(key=itemgetter(0))
    return [one for _, one in places]


class Turns:
    """Remembers which tenant had the last turn, so that one claim goes on where another stopped.

    It does so for each choice of work apart, and for each priority: or a worker that claims for two queues in turn, or urgent work in
    between, might bring the same tenants to their turn again and again, and never the others.
    """

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: dict[_Choice, dict[int, str]] = {}

    def last(self, request: ClaimRequest) -> LastTurns:
        """Who had the last turn among the work that is asked for."""
        return self._last.get(_choice(request), {})

    def go_on(self, request: ClaimRequest, claims: Iterable[Claim]) -> None:
        """Note who had the last turn.

        Args:
            request: What was asked for.
            claims: What was given, in the order of claims. What waited for a slot or a rate took no turn.
        """
        had = {
            claim.item.priority: claim.state.tenant
            for claim in claims
            if not claim.item.is_throttled or claim.item.kind is WorkKind.EXPIRE
        }
        if not had or request.items is not None:
            return
        choice = _choice(request)
        last = {priority: tenant for priority, tenant in self.last(request).items() if priority not in had}
        self._last.pop(choice, None)
        self._last[choice] = _newest({**last, **had})
        self._last = _newest(self._last)


def _choice(request: ClaimRequest) -> _Choice:
    return request.queues, request.codes, request.without


K = TypeVar("K")
V = TypeVar("V")


def _newest(remembered: dict[K, V]) -> dict[K, V]:
    """The newest of what is remembered."""
    return remembered if len(remembered) <= _MOST else dict(list(remembered.items())[-_MOST:])
