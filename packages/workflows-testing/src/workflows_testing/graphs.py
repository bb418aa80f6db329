"""Small real graphs for tests, each of one kind of step or way of joining them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from workflows_core.domain.graph import (
    Edge,
    ForEachNode,
    GatewayNode,
    GroupNode,
    HumanNode,
    MachineNode,
    Node,
    NodeKind,
    TimerNode,
    WebhookNode,
    WorkflowGraph,
)
from workflows_core.domain.structure import entries_of, find_back_edges

__all__ = [
    "a_for_each_graph",
    "a_graph",
    "a_mixed_graph",
    "a_nested_for_each_graph",
    "a_nested_group_graph",
    "a_parallel_graph",
    "a_task_graph",
    "a_timer_graph",
    "a_webhook_graph",
    "build_graph",
]


def build_graph(
    nodes: Mapping[str, NodeKind | Node],
    edges: Sequence[tuple[str, str] | Edge] = (),
    *,
    name: str = "order",
    version: str = "1.0.0",
    reducers: Mapping[str, str] | None = None,
) -> WorkflowGraph:
    """A graph of these steps; the first one is initial, and back edges are found as the compiler of definitions finds them."""
    steps = {
        step: kind if isinstance(kind, Node) else Node(step, kind) for step, kind in nodes.items()
    }  # fmt: skip
    moves = tuple(edge if isinstance(edge, Edge) else Edge(*edge) for edge in edges)
    graph = WorkflowGraph(name, version, steps, moves, next(iter(steps)), reducers=dict(reducers or {}))
    scopes = ["", *(step for step, node in steps.items() if isinstance(node.kind, GroupNode | ForEachNode))]
    back = find_back_edges(steps, moves, [entries_of(graph, scope) for scope in scopes])
    return WorkflowGraph(name, version, steps, moves, graph.initial, back_edges=back, reducers=graph.reducers)


def a_graph(*steps: str, name: str = "order", version: str = "1.0.0", queue: str = "default") -> WorkflowGraph:
    """Machine steps in a row: ``first``, ``second``, ``third`` unless named."""
    names = steps or ("first", "second", "third")
    nodes = {step: Node(step, MachineNode(), queue=queue) for step in names}
    return build_graph(nodes, list(itertools.pairwise(names)), name=name, version=version)


def a_task_graph(kind: HumanNode | None = None, *, name: str = "approval", version: str = "1.0.0") -> WorkflowGraph:
    """A human task ``review``, then a machine step ``publish``."""
    nodes: dict[str, NodeKind] = {"review": kind or HumanNode(title="Review it"), "publish": MachineNode()}
    return build_graph(nodes, [("review", "publish")], name=name, version=version)


def a_parallel_graph(*branches: str, kind: NodeKind | None = None, name: str = "parallel") -> WorkflowGraph:
    """A gateway ``split`` into branches (``left`` and ``right`` unless named), joined by a machine step ``join``."""
    names = branches or ("left", "right")
    nodes: dict[str, NodeKind] = {"split": GatewayNode("parallel")}
    nodes |= {branch: kind or MachineNode() for branch in names}
    nodes["join"] = MachineNode()
    edges = [("split", branch) for branch in names] + [(branch, "join") for branch in names]
    return build_graph(nodes, edges, name=name)


def a_timer_graph(delay_s: float = 60.0, *, until: str | None = None, name: str = "reminder") -> WorkflowGraph:
    """A timer ``wait``, then a machine step ``remind``."""
    return build_graph({"wait": TimerNode(delay_s, until), "remind": MachineNode()}, [("wait", "remind")], name=name)


def a_webhook_graph(*, name: str = "payment") -> WorkflowGraph:
    """A webhook ``paid``, then a machine step ``ship``."""
    return build_graph({"paid": WebhookNode(), "ship": MachineNode()}, [("paid", "ship")], name=name)


def a_for_each_graph(
    *, concurrency: int = 2, grouped: bool = False, kind: NodeKind | None = None, name: str = "shipping"
) -> WorkflowGraph:
    """A ``ForEach`` ``each`` over the data key ``orders``, then a machine step ``report``.

    The body is a step ``ship`` of a kind, a machine step unless given; if ``grouped``, a group ``parcel`` of ``pack`` and ``ship``.
    """
    body = "parcel" if grouped else "ship"
    nodes: dict[str, NodeKind | Node] = {
        "each": ForEachNode(body, "orders", item="order", concurrency=concurrency, into="shipped"),
        "report": MachineNode(),
    }
    edges = [("each", "report")]
    if grouped:
        nodes["parcel"] = Node("parcel", GroupNode("sequential", ("pack",)), scope="each")
        nodes["pack"] = Node("pack", MachineNode(), scope="parcel")
        nodes["ship"] = Node("ship", MachineNode(), scope="parcel")
        edges.append(("pack", "ship"))
    else:
        nodes["ship"] = Node("ship", kind if kind is not None else MachineNode(), scope="each")
    return build_graph(nodes, edges, name=name)


def a_nested_for_each_graph(*, name: str = "table") -> WorkflowGraph:
    """A ``ForEach`` ``rows`` over the data key ``orders``, whose body is a ``ForEach`` ``cells`` over the item, with body ``ship``."""
    return build_graph(
        {
            "rows": ForEachNode("cells", "orders", item="order"),
            "cells": Node("cells", ForEachNode("ship", "order", item="cell"), scope="rows"),
            "ship": Node("ship", MachineNode(), scope="cells"),
        },
        name=name,
    )


def a_nested_group_graph(*, name: str = "parcels") -> WorkflowGraph:
    """A ``ForEach`` ``each`` over ``orders`` whose body, a group ``parcel``, holds a group ``packing`` of ``pack``, then ``ship``."""
    return build_graph(
        {
            "each": ForEachNode("parcel", "orders", item="order"),
            "parcel": Node("parcel", GroupNode("sequential", ("packing",)), scope="each"),
            "packing": Node("packing", GroupNode("sequential", ("pack",)), scope="parcel"),
            "pack": Node("pack", MachineNode(), scope="packing"),
            "ship": Node("ship", MachineNode(), scope="parcel"),
        },
        [("packing", "ship")],
        name=name,
    )


def a_mixed_graph(*, prepared: bool = True, name: str = "mixed") -> WorkflowGraph:
    """A gateway ``split`` into a human task ``review``, a machine step ``bill`` and a ``ForEach`` ``each`` over ``orders``.

    So entering it writes every kind of thing that a transition can write. If ``prepared``, a machine step ``prepare`` comes first.
    """
    nodes: dict[str, NodeKind | Node] = {"prepare": MachineNode()} if prepared else {}
    nodes |= {
        "split": GatewayNode("parallel"),
        "review": HumanNode(title="Review it"),
        "bill": MachineNode(),
        "each": ForEachNode("ship", "orders", item="order"),
        "ship": Node("ship", MachineNode(), scope="each"),
    }
    edges = [("split", "review"), ("split", "bill"), ("split", "each")]
    return build_graph(nodes, [("prepare", "split"), *edges] if prepared else edges, name=name)
