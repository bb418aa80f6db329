"""Which steps of a scope may be active at the same time, as far as forward edges tell.

A pair of steps is concurrent where a token splits, and stays so while one of the two moves on; a join that waits for the other
ends it. This is the concurrency relation of Petri nets, with the joins of the kernel.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from workflows_core.domain.graph import Edge, GatewayNode, GroupNode
from workflows_core.domain.structure import JoinReach, loops_of, reachable
from workflows_core.domain.validation.view import GraphView

__all__ = ["Concurrency", "alternatives"]


class Concurrency:
    """The steps of one scope, where they lead going forward, and which of them may be active together."""

    def __init__(self, view: GraphView, scope: str) -> None:
        names = view.members(scope)
        self._view = view
        self._successors = view.successors(names, forward=True)
        self._reach = {name: reachable(self._successors, self._successors[name]) for name in names}
        self._awaited = _awaited(view, names)
        self._ahead: dict[str, frozenset[str]] = {}
        self._together: dict[str, set[str]] = {name: set() for name in names}
        self._spread(scope, names)

    def leads(self, source: str, target: str) -> bool:
        """Whether a token at one step can come to another, or is there already."""
        return source == target or target in self._reach[source]

    def together(self, one: str, other: str) -> bool:
        """Whether tokens may be at both steps at once."""
        return other in self._together[one]

    def two_together(self, names: Sequence[str]) -> tuple[str, str] | None:
        """The first two of some steps that may be active together."""
        wanted = set(names)
        for name in names:
            if together := self._together[name] & wanted:
                return name, next(other for other in names if other in together)
        return None

    def ahead(self, name: str, joins: Iterable[str]) -> frozenset[str]:
        """The joins that a token on its way to a step can come to; to be asked with the same joins always."""
        known = self._ahead.get(name)
        if known is None:
            known = self._ahead[name] = frozenset(join for join in joins if self.leads(name, join))
        return known

    def apart(self, join: str, joins: Iterable[str]) -> frozenset[str]:
        """The joins that do not lead to one, nor it to them."""
        return frozenset(other for other in joins if not (self.leads(join, other) or self.leads(other, join)))

    def waits(self, name: str) -> bool:
        """Whether a step waits for the tokens that can still come to it."""
        return name in self._awaited

    def _spread(self, scope: str, names: Sequence[str]) -> None:
        """Follow every pair as one of the two moves; a join stays where it is while it waits for the other."""
        pending = [*self._entered_together(scope), *(pair for name in names for pair in self._splits(name))]
        seen: set[tuple[str, str]] = set()
        while pending:
            one, other = pending.pop()
            if one == other or (one, other) in seen:
                continue
            seen |= {(one, other), (other, one)}
            one_waits, other_waits = other in self._awaited.get(one, ()), one in self._awaited.get(other, ())
            if not one_waits and not other_waits:
                self._together[one].add(other)
                self._together[other].add(one)
            if not one_waits:
                pending.extend((target, other) for target in self._successors[one])
            if not other_waits:
                pending.extend((target, one) for target in self._successors[other])

    def _entered_together(self, scope: str) -> Iterator[tuple[str, str]]:
        kind = self._view.graph.nodes[scope].kind if scope else None
        if isinstance(kind, GroupNode) and kind.kind != "conditional":
            yield from combinations(self._view.entries(scope), 2)

    def _splits(self, name: str) -> Iterator[tuple[str, str]]:
        """Pairs of steps that get a token at once when this one is left."""
        kind = self._view.graph.nodes[name].kind
        if isinstance(kind, GatewayNode) and kind.kind == "exclusive":
            return
        everything = isinstance(kind, GatewayNode) and kind.kind == "parallel"
        forward = [edge for index, edge in self._view.outgoing[name] if index not in self._view.back]
        for one, other in combinations(forward, 2):
            if one.on is other.on and (everything or not _exclude(one, other)):
                yield one.target, other.target


def _awaited(view: GraphView, names: Sequence[str]) -> dict[str, frozenset[str]]:
    """For each join that waits, the steps from where it still expects tokens."""
    indexed = [way for name in names for way in view.outgoing[name]]
    edges = [edge for _, edge in indexed]
    back = {place for place, (index, _) in enumerate(indexed) if index in view.back}
    loops = loops_of(names, edges, back)
    waiting = [
        name
        for name in names
        if len(view.incoming[name]) > 1 and view.graph.nodes[name].join.kind in {"auto", "all", "n"}
    ]
    return {name: JoinReach(name, edges, loops).expected[-1] | {name} for name in waiting}


def alternatives(view: GraphView, name: str) -> list[tuple[Edge, Edge]]:
    """Pairs of forward edges of a step of which one token may take one and leave the other."""
    kind = view.graph.nodes[name].kind
    if isinstance(kind, GatewayNode) and kind.kind == "parallel":
        return []
    exclusive = isinstance(kind, GatewayNode) and kind.kind == "exclusive"
    forward = [edge for index, edge in view.outgoing[name] if index not in view.back]
    return [
        (one, other)
        for one, other in combinations(forward, 2)
        if exclusive or one.on is not other.on or _is_optional(one) or _is_optional(other)
    ]


def _is_optional(edge: Edge) -> bool:
    return edge.is_conditional or edge.default


def _exclude(one: Edge, other: Edge) -> bool:
    """Whether one of two edges is the default for when the other does not hold."""
    return (one.default and other.is_conditional) or (other.default and one.is_conditional)
