"""Workflow graphs in a few words, for the tests of the kernel.

    flow("start -> left right", "left right -> end", end=HumanNode(), joins={"end": "all"})

A move is ``sources -> targets``, with conditions behind a colon: ``on failure``, ``if <expression>``, ``computed``, ``named``,
``default``. Steps are machine steps unless a keyword says otherwise; the first one that is mentioned is the initial one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal, cast

from msgspec.structs import replace

from workflows_core.domain.graph import (
    Edge,
    ForEachNode,
    GatewayNode,
    GroupNode,
    Join,
    MachineNode,
    Node,
    NodeKind,
    WorkflowGraph,
)
from workflows_core.domain.structure import entries_of, find_back_edges
from workflows_core.domain.types import Outcome

CHOICE = GatewayNode("exclusive")
FORK = GatewayNode("parallel")
SOME = GatewayNode("inclusive")


def flow(
    *moves: str,
    scopes: Mapping[str, str] | None = None,
    joins: Mapping[str, str | int] | None = None,
    terminal: Mapping[str, Literal["branch", "instance"]] | None = None,
    reducers: Mapping[str, str] | None = None,
    undo: str = "",
    timeouts: Mapping[str, float] | None = None,
    deadline_s: float | None = None,
    **kinds: NodeKind,
) -> WorkflowGraph:
    """A graph.

    Args:
        moves: Moves between steps, or a step without any.
        scopes: Steps inside a group, by the name of the group.
        joins: Kind of join by step; a number is the count of ``n``.
        terminal: Where tokens end whatever the edges say.
        reducers: Reducer by data key.
        undo: Steps that can be undone.
        timeouts: Seconds that steps may take.
        deadline_s: Seconds that an instance may take.
        kinds: What steps are that are no machine steps.
    """
    edges = tuple(edge for move in moves for edge in _edges(move))
    inside = {name: group for group, names in (scopes or {}).items() for name in names.split()}
    mentioned = dict.fromkeys([*_names(moves), *kinds, *inside])
    nodes = {
        name: Node(
            name,
            kinds.get(name, MachineNode()),
            scope=inside.get(name, ""),
            join=_join((joins or {}).get(name, "auto")),
            terminal=(terminal or {}).get(name, ""),
            timeout_s=(timeouts or {}).get(name),
            compensable=name in undo.split(),
        )
        for name in mentioned
    }
    graph = make_graph(nodes, edges, next(iter(mentioned)), dict(reducers or {}))
    return replace(graph, deadline_s=deadline_s)


def make_graph(
    nodes: dict[str, Node], edges: tuple[Edge, ...], initial: str, reducers: dict[str, str] | None = None
) -> WorkflowGraph:
    """A graph with its back edges, found as the compiler of definitions finds them."""
    graph = WorkflowGraph("flow", "1.0.0", nodes, edges, initial, reducers=reducers or {})
    groups = ["", *(name for name, node in nodes.items() if isinstance(node.kind, GroupNode | ForEachNode))]
    back = find_back_edges(nodes, edges, [entries_of(graph, group) for group in groups])
    return WorkflowGraph("flow", "1.0.0", nodes, edges, initial, back_edges=back, reducers=graph.reducers)


def _names(moves: tuple[str, ...]) -> Iterator[str]:
    for move in moves:
        yield from re.findall(r"\w+", move.partition(":")[0])


def _join(kind: str | int) -> Join:
    if isinstance(kind, int):
        return Join("n", kind)
    return Join(cast("Literal['auto', 'all', 'any', 'each']", kind))


def _edges(move: str) -> Iterator[Edge]:
    ends, _, words = move.partition(":")
    sources, _, targets = ends.partition("->")
    before, _, condition = words.partition("if ")
    outcome = re.search(r"on (\w+)", before)
    for source in sources.split():
        for target in targets.split():
            yield Edge(
                source,
                target,
                Outcome(outcome.group(1)) if outcome else Outcome.SUCCESS,
                condition.strip() or None,
                "computed" in before,
                "default" in before,
                "named" in before,
            )
