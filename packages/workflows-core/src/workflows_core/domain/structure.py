"""Facts about a graph that the kernel needs at every move: back edges, loops, and from where a join can still be reached.

The retreating edges of a depth-first walk (back edges) leave a *forward graph* without a cycle. The *loop* of a back edge into a
step H is made of the steps on cycles through H that touch nothing before H, in an order in which the forward graph ascends. So
every cycle of the graph contains the back edge of a loop that holds the whole cycle: take the first of its steps as H.

A token *can still come* to a join J along forward edges, and round any loop that J is no part of: a token in the rework loop of
one branch is still expected where the branches meet. Two kinds of rounds do not count, they are the next round's business: those
of a loop that J is part of, and those of a loop that has already sent J a token that waits there.

Joins therefore never wait for each other, however the graph looks: if J1 waited for a token at J2, that for one at J3, and so on
back to J1, their paths would make a cycle, which contains a back edge whose loop holds all these joins, and such an edge does not
count for any of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from graphlib import TopologicalSorter

from workflows_core.domain.graph import Edge, ForEachNode, GroupNode, Node, WorkflowGraph

__all__ = ["JoinReach", "entries_of", "find_back_edges", "loops_of", "reachable", "successors_of"]


def entries_of(graph: WorkflowGraph, scope: str) -> tuple[str, ...]:
    """Steps that may receive the first token of a scope, in order."""
    if not scope:
        return (graph.initial,)
    kind = graph.nodes[scope].kind
    if isinstance(kind, GroupNode):
        return (*kind.entry, *kind.branches.values())
    if isinstance(kind, ForEachNode):
        return (kind.body,)
    return ()


def find_back_edges(
    nodes: Mapping[str, Node], edges: Sequence[Edge], roots: Iterable[Sequence[str]]
) -> tuple[int, ...]:
    """Indexes of the retreating edges, walking depth-first from the roots of each scope in edge order.

    Args:
        nodes: Steps by name.
        edges: All edges; those with an unknown end are left out.
        roots: For each scope, its entry steps.

    Returns:
        Indexes into ``edges``, ascending.
    """
    outgoing: dict[str, list[int]] = {name: [] for name in nodes}
    for index, edge in enumerate(edges):
        if edge.source in nodes and edge.target in nodes:
            outgoing[edge.source].append(index)
    back: set[int] = set()
    done: set[str] = set()
    starts = [start for entries in roots for start in entries if start in nodes]
    for start in (*starts, *nodes):
        if start not in done:
            _walk(start, edges, outgoing, done, back)
    return tuple(sorted(back))


def _walk(start: str, edges: Sequence[Edge], outgoing: Mapping[str, list[int]], done: set[str], back: set[int]) -> None:
    """Depth-first from one step, without recursion: an edge to a step that is still open is a back edge."""
    open_steps = {start}
    stack: list[tuple[str, Iterator[int]]] = [(start, iter(outgoing[start]))]
    while stack:
        name, remaining = stack[-1]
        for index in remaining:
            target = edges[index].target
            if target in open_steps:
                back.add(index)
            elif target not in done:
                open_steps.add(target)
                stack.append((target, iter(outgoing[target])))
                break
        else:
            stack.pop()
            open_steps.discard(name)
            done.add(name)


def reachable(successors: Mapping[str, Iterable[str]], starts: Iterable[str]) -> set[str]:
    """All steps that can be reached from the given ones, themselves included."""
    found: set[str] = set()
    pending = list(starts)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending.extend(successors.get(name, ()))
    return found


def loops_of(nodes: Iterable[str], edges: Sequence[Edge], back_edges: Collection[int]) -> dict[int, frozenset[str]]:
    """The steps of the loop that each back edge closes, by index of the edge.

    Raises:
        graphlib.CycleError: The other edges have a cycle, so these are not the back edges of this graph.
    """
    sorter: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(nodes, ()))
    for index, edge in enumerate(edges):
        if index not in back_edges:
            sorter.add(edge.target, edge.source)
    place = {name: number for number, name in enumerate(sorter.static_order())}
    loops: dict[str, frozenset[str]] = {}
    for header in {edges[index].target for index in back_edges}:
        later = [edge for edge in edges if min(place[edge.source], place[edge.target]) >= place[header]]
        after = reachable(successors_of(later), (header,))
        loops[header] = frozenset(after & reachable(_predecessors(later), (header,)))
    return {index: loops[edges[index].target] for index in back_edges}


class JoinReach:
    """From where tokens can still come to one join.

    Attributes:
        forward: Source of each incoming edge that is not a back edge, by index of the edge.
        expected: By the edge over which a waiting token came (-1: none), the steps at which another token can still come to it.
        feeding: By forward incoming edge, the steps at which a token can still come over it.
    """

    __slots__ = ("expected", "feeding", "forward")

    def __init__(self, join: str, edges: Sequence[Edge], loops: Mapping[int, frozenset[str]]) -> None:
        """Compute it.

        Args:
            join: The step.
            edges: All edges of the graph.
            loops: What `loops_of` found.
        """
        usable = [index for index in range(len(edges)) if index not in loops or join not in loops[index]]
        incoming = {index: edge.source for index, edge in enumerate(edges) if edge.target == join}
        self.forward = {index: source for index, source in incoming.items() if index not in loops}
        rounds = {index: loops[index] for index in usable if index in loops}
        predecessors = _predecessors([edges[index] for index in usable])
        anywhere = frozenset(reachable(predecessors, self.forward.values()))
        self.feeding = {index: frozenset(reachable(predecessors, (source,))) for index, source in self.forward.items()}
        self.expected = dict.fromkeys((-1, *incoming), anywhere)
        for index, source in incoming.items() if rounds else ():
            behind = reachable(predecessors, (source,))
            counted = [edges[way] for way in usable if way not in rounds or rounds[way].isdisjoint(behind)]
            self.expected[index] = frozenset(reachable(_predecessors(counted), self.forward.values()))


def successors_of(edges: Iterable[Edge]) -> dict[str, list[str]]:
    """Where the edges of each step lead, in their order."""
    found: dict[str, list[str]] = {}
    for edge in edges:
        found.setdefault(edge.source, []).append(edge.target)
    return found


def _predecessors(edges: Iterable[Edge]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for edge in edges:
        found.setdefault(edge.target, []).append(edge.source)
    return found
