"""From where a join can still expect tokens, found by walking the graph anew for each question."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from workflows_core.domain.graph import ForEachNode, GroupNode, WorkflowGraph


class NaiveReach:
    """Answers about one graph."""

    def __init__(self, graph: WorkflowGraph) -> None:
        self.edges = graph.edges
        self.back: set[int] = set()
        self.met: dict[str, int] = {}
        roots = [graph.initial]
        for node in graph.nodes.values():
            if isinstance(node.kind, GroupNode):
                roots += [*node.kind.entry, *node.kind.branches.values()]
            elif isinstance(node.kind, ForEachNode):
                roots.append(node.kind.body)
        for root in [*roots, *graph.nodes]:
            if root not in self.met:
                self._walk(root, [])
        self.loops = {edge: self._loop(edge) for edge in self.back}
        self.can_come = cache(self._can_come)
        self.can_use = cache(self._can_use)

    def _walk(self, node: str, above: list[str]) -> None:
        """Depth first, in edge order: an edge back to where the walk comes from is a back edge."""
        self.met[node] = len(self.met)
        for index, edge in enumerate(self.edges):
            if edge.source == node and edge.target in [*above, node]:
                self.back.add(index)
            elif edge.source == node and edge.target not in self.met:
                self._walk(edge.target, [*above, node])

    def _reaches(self, start: str, end: str, usable: Callable[[int], bool]) -> bool:
        """Whether there is a way of at least one edge."""
        seen: set[str] = set()
        here = {start}
        while here:
            here = {
                edge.target for index, edge in enumerate(self.edges) if edge.source in here and usable(index)
            } - seen
            seen |= here
        return end in seen

    def _loop(self, back_edge: int) -> set[str]:
        """The steps on cycles through the target of a back edge that touch nothing the walk met before it."""
        head = self.edges[back_edge].target

        def is_later(index: int) -> bool:
            return min(self.met[self.edges[index].source], self.met[self.edges[index].target]) >= self.met[head]

        return {
            step for step in self.met if self._reaches(head, step, is_later) and self._reaches(step, head, is_later)
        } | {head}

    def _may_go(self, index: int, join: str) -> bool:
        return index not in self.back or join not in self.loops[index]

    def _has_sent(self, index: int, join: str, via: int) -> bool:
        """Whether the token that came over ``via`` may have come out of the loop of a back edge."""
        source = self.edges[via].source if via >= 0 else None
        return source is not None and any(
            step == source or self._reaches(step, source, lambda other: self._may_go(other, join))
            for step in self.loops[index]
        )

    def _can_come(self, start: str, join: str, via: int) -> bool:
        """Whether a token at a step can still come to a join where a token waits that came over ``via``."""
        return self._reaches(
            start,
            join,
            lambda index: self._may_go(index, join) and not (index in self.back and self._has_sent(index, join, via)),
        )

    def _can_use(self, start: str, join: str, edge: int) -> bool:
        """Whether a token at a step can still come to a join over one edge."""
        source = self.edges[edge].source
        return start == source or self._reaches(start, source, lambda index: self._may_go(index, join))

    def forward_in(self, join: str) -> set[int]:
        """The incoming edges that are no back edges."""
        return {index for index, edge in enumerate(self.edges) if edge.target == join and index not in self.back}
