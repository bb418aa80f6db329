"""Facts about a graph that the kernel needs at every move: back edges and what can still be reached.

Source of the method: the retreating edges of a depth-first walk leave a forward graph without a cycle, so joins that look
only forward never wait for each other (design, *Joining*).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from workflows_core.domain.graph import Edge, ForEachNode, GroupNode, Node, WorkflowGraph

__all__ = ["entries_of", "find_back_edges", "forward_reach", "reachable"]


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


def forward_reach(
    nodes: Mapping[str, Node], edges: Sequence[Edge], back_edges: Iterable[int]
) -> dict[str, frozenset[str]]:
    """For each step, the steps that a token at it can reach over one or more forward edges."""
    skipped = frozenset(back_edges)
    forward = [edge for index, edge in enumerate(edges) if index not in skipped]
    successors: dict[str, list[str]] = {name: [] for name in nodes}
    for edge in forward:
        successors[edge.source].append(edge.target)
    return {name: frozenset(reachable(successors, successors[name])) for name in nodes}


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
