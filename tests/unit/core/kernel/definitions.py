"""Random workflows: any graph that can be run, sensible or not, with everything that a graph can hold.

What is drawn is drawn by a `Choose`, so that Hypothesis and a plain generator of random numbers can both draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol, TypeVar

from msgspec.structs import replace
from tests.unit.core.kernel.flows import make_graph

from workflows_core.domain.graph import (
    Edge,
    ForEachNode,
    GatewayNode,
    GroupNode,
    HumanNode,
    Join,
    MachineNode,
    Node,
    NodeKind,
    TimerNode,
    WebhookNode,
    WorkflowGraph,
)
from workflows_core.domain.types import Outcome

T = TypeVar("T")


class Choose(Protocol):
    """Draws one of several."""

    def __call__(self, options: Sequence[T], /) -> T: ...


_STOPS: list[NodeKind] = [
    MachineNode(),
    MachineNode(),
    MachineNode(),
    MachineNode(),
    HumanNode(),
    HumanNode(computed=True, into="answer"),
    HumanNode(handler=True),
    TimerNode(5),
    TimerNode(computed=True),
    WebhookNode(),
    WebhookNode(into="x"),
]
_CHOICES: list[NodeKind] = [
    GatewayNode("exclusive"),
    GatewayNode("inclusive"),
    GatewayNode("parallel"),
    GatewayNode("exclusive", computed=True),
]
_JOINS = [Join(), Join(), Join(), Join("any"), Join("n", 2), Join("all"), Join("each")]
_TERMINAL: list[Literal["", "branch", "instance"]] = [*[""] * 24, "branch", "branch", "instance"]  # type: ignore[list-item]
_FAILURES = [Outcome.FAILURE, Outcome.FAILURE, Outcome.TIMEOUT, Outcome.SKIPPED]
_MANY = {0: [3, 4, 5, 6, 7], 1: [1, 2, 3, 4], 2: [1, 2]}


def draw_graph(choose: Choose) -> WorkflowGraph:
    """A workflow that reads ``x``, a small number, and ``items``, a short list of small numbers."""
    builder = _Builder(choose)
    steps = builder.scope("", 0)
    return make_graph(builder.nodes, tuple(builder.edges), steps[0])


def draw_data(choose: Choose) -> dict[str, Any]:
    """What such a workflow starts with."""
    return {"x": choose([0, 1, 2, 3]), "items": [choose([0, 1, 2, 3]) for _ in range(choose([0, 1, 2, 3, 4]))]}


class _Builder:
    """Draws the steps and moves of one workflow, scope by scope."""

    def __init__(self, choose: Choose) -> None:
        self.choose = choose
        self.nodes: dict[str, Node] = {}
        self.edges: list[Edge] = []
        self.joins = choose([[Join()], _JOINS])

    def scope(self, scope: str, depth: int) -> list[str]:
        """Draw the inside of a scope; gives its steps."""
        names = [f"{scope}{letter}" for letter in "abcdefg"[: self.choose(_MANY[depth])]]
        for name in names:
            kind = MachineNode() if name == "a" else self.kind(name, depth)
            self.nodes[name] = Node(name, kind, scope=scope, terminal=self.choose(_TERMINAL))
        for place, name in enumerate(names):
            self.ways_out(name, names[place + 1 :], [other for other in names[: place + 1] if self.waits(other)])
        for name in names:
            if sum(edge.target == name for edge in self.edges) > 1:
                self.nodes[name] = replace(self.nodes[name], join=self.choose(self.joins))
        return names

    def waits(self, name: str) -> bool:
        """Whether a token always rests at a step, so that a loop may lead there."""
        return not isinstance(self.nodes[name].kind, GatewayNode | GroupNode | ForEachNode)

    def kind(self, name: str, depth: int) -> NodeKind:
        """Draw what a step is."""
        match self.choose(
            ["stop", "stop", "stop", "choice", "group", "items"] if depth < 2 else ["stop", "stop", "choice"]
        ):
            case "group":
                return self.group(name, depth)
            case "items":
                inside = self.scope(name, depth + 1)
                concurrency, computed = self.choose([1, 2, 3]), self.choose([False, True])
                return ForEachNode(
                    inside[0], "items", item="x", concurrency=concurrency, into="done", computed=computed
                )
            case "choice":
                return self.choose(_CHOICES)
            case _:
                return self.choose(_STOPS)

    def group(self, name: str, depth: int) -> GroupNode:
        """Draw a group with its inside."""
        inside = self.scope(name, depth + 1)
        outputs: dict[str, str] = self.choose([{}, {"x": "x"}])
        match self.choose(["sequential", "parallel", "race", "conditional"]):
            case "sequential":
                return GroupNode("sequential", (inside[0],), outputs=outputs, into="r")
            case "conditional":
                branches = {"0": inside[0], "1": inside[-1]}
                return GroupNode(
                    "conditional", branches=branches, selector="x", into="r", computed=self.choose([False, True])
                )
            case "race":
                return GroupNode("race", tuple(inside[:2]), outputs=outputs)
            case _:
                return GroupNode("parallel", tuple(inside[:2]), callback=self.choose([None, inside[-1]]), into="r")

    def ways_out(self, name: str, later: list[str], earlier: list[str]) -> None:
        """Draw where a step leads: mostly on; back only to where something waits, so that no loop runs for ever."""
        for _ in range(self.choose([1, 1, 2, 2, 3]) if later else 0):
            self.edges.append(self.edge(name, self.choose([*later, *later, *later, *earlier])))
        if self.choose([False, False, bool(earlier)]):
            self.edges.append(self.edge(name, self.choose(earlier)))
        conditional = any(edge.source == name and edge.is_conditional for edge in self.edges)
        if conditional and self.choose([True, True, True, False]):
            self.edges.append(Edge(name, self.choose(later or earlier), default=True))

    def edge(self, source: str, target: str) -> Edge:
        """Draw when one way is taken."""
        match self.choose(["plain", "plain", "plain", "if", "if", "if", "computed", "named", "outcome"]):
            case "if":
                return Edge(source, target, condition=f"x {self.choose(['>', '=='])} {self.choose([0, 1, 2])}")
            case "computed":
                return Edge(source, target, computed=True)
            case "named":
                return Edge(source, target, named=True)
            case "outcome":
                return Edge(source, target, on=self.choose(_FAILURES))
            case _:
                return Edge(source, target)
