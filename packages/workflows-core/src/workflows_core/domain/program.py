"""A graph made ready to run: exits sorted by outcome, conditions compiled, reach computed once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from graphlib import CycleError
from typing import Any, Final, Protocol

import msgspec

from workflows_core.domain.graph import (
    Edge,
    ForEachNode,
    GatewayNode,
    GroupNode,
    HumanNode,
    MachineNode,
    Node,
    NodeKind,
    SignalNode,
    TimerNode,
    WebhookNode,
    WorkflowGraph,
)
from workflows_core.domain.problems import Problem
from workflows_core.domain.state import Token
from workflows_core.domain.structure import JoinReach, loops_of
from workflows_core.domain.transition import WorkKind
from workflows_core.domain.types import Outcome, StepStatus, StepType
from workflows_core.errors import InvalidDefinitionError

__all__ = ["Condition", "Exit", "Program", "StepProgram"]


class Condition(Protocol):
    """A compiled expression."""

    @property
    def source(self) -> str:
        """The expression as it was written."""
        ...

    @property
    def names(self) -> frozenset[str]:
        """Data keys that it reads."""
        ...

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Its value on the data; absent names read as None."""
        ...


class Exit(msgspec.Struct, frozen=True):
    """One way out of a step.

    Attributes:
        index: Index of the edge in the graph.
        target: Step that it leads to.
        condition: Compiled condition, if it is an expression.
        computed: Whether a worker evaluates it.
        default: Whether it is taken when no conditional one is.
        named: Whether it is taken when the result names its target.
    """

    index: int
    target: str
    condition: Condition | None
    computed: bool
    default: bool
    named: bool

    @property
    def is_conditional(self) -> bool:
        """Whether it may be left out."""
        return self.condition is not None or self.computed or self.named


class StepProgram:
    """One step with everything that the kernel asks about it.

    Attributes:
        name: Name of the step.
        node: Its node.
        kind: What it does.
        step_type: Its classification.
        exits: Ways out by outcome, in order; a missing outcome falls back (skipped to success, timeout to failure).
        sole: The only, unconditional way out on success, if that is all there is.
        ends: Whether a token that does not fail ends here whatever the edges say.
        first_only: Whether the first exit that holds is the only one taken.
        reads_data: Whether the kernel itself reads or writes data when the step is entered.
        entry_work: What a worker does on entry; `ENTER` only if the data are not at hand.
        timeout_s: Seconds that it may take in all.
        wait_work: The work item of a token that waits here, if there is one.
        is_throttled: Whether its code is limited in concurrency or rate.
        reach: From where tokens can still come, if those that arrive must first be joined; else None.
    """

    __slots__ = (
        "ends",
        "entry_work",
        "exits",
        "first_only",
        "is_throttled",
        "kind",
        "name",
        "node",
        "reach",
        "reads_data",
        "sole",
        "step_type",
        "timeout_s",
        "wait_work",
    )

    def __init__(self, node: Node, exits: dict[Outcome, tuple[Exit, ...]], reach: JoinReach | None) -> None:
        self.name = node.name
        self.node = node
        self.kind: NodeKind = node.kind
        self.step_type: StepType = node.step_type
        self.exits = exits
        success = exits[Outcome.SUCCESS]
        self.sole = success[0] if len(success) == 1 and not success[0].is_conditional else None
        self.ends = bool(node.terminal)
        self.first_only = isinstance(node.kind, GatewayNode) and node.kind.kind == "exclusive"
        self.reads_data = _reads_data(node.kind)
        self.entry_work = _entry_work(node.kind)
        self.wait_work = _WAIT_WORK.get(type(node.kind))
        if self.wait_work is None and node.timeout_s is not None:
            self.wait_work = WorkKind.AWAIT
        self.timeout_s = node.timeout_s
        self.is_throttled = node.concurrency is not None or node.rate is not None
        self.reach = reach

    def work_kind(self, token: Token) -> WorkKind | None:
        """What the work item of a token at this step is for; None if the token has none."""
        if token.status is not StepStatus.SCHEDULED:
            return self.wait_work if token.status is StepStatus.WAITING else None
        if not token.execution:
            return WorkKind.ENTER
        if token.compensates:
            return WorkKind.UNDO
        if token.outcome is not None:
            return WorkKind.ROUTE
        if token.items is not None:
            return WorkKind.GATHER
        return self.entry_work if token.actor is None else WorkKind.RUN


_WAIT_WORK: Final[dict[type, WorkKind]] = {
    TimerNode: WorkKind.TIMER,
    WebhookNode: WorkKind.AWAIT,
    SignalNode: WorkKind.AWAIT,
}


def _entry_work(kind: NodeKind) -> WorkKind:
    match kind:
        case MachineNode() | GatewayNode(computed=True):
            return WorkKind.RUN
        case HumanNode(computed=True) | TimerNode(computed=True):
            return WorkKind.PREPARE
        case GroupNode(kind="conditional", computed=True) | GroupNode(kind="conditional", selector=None):
            return WorkKind.PREPARE
        case ForEachNode(computed=True) | ForEachNode(source=None):
            return WorkKind.PREPARE
        case _:
            return WorkKind.ENTER


def _reads_data(kind: NodeKind) -> bool:
    match kind:
        case TimerNode() | WebhookNode() | SignalNode():
            return False
        case GroupNode():
            return kind.kind == "conditional" or not kind.entry
        case _:
            return True


class Program:
    """A graph that the kernel can run.

    Attributes:
        graph: The graph.
        steps: Steps by name.
        encode: Encodes a value as the payloads are encoded.
        decode: Decodes a payload.
        expressions: Compiled expressions by their source: selectors and sources of groups.
        can_undo: Whether any step can be undone.
    """

    __slots__ = ("can_undo", "compile", "decode", "encode", "expressions", "graph", "steps")

    def __init__(
        self,
        graph: WorkflowGraph,
        *,
        compile_condition: Callable[[str], Condition],
        encode: Callable[[Any], bytes],
        decode: Callable[[bytes], Any],
    ) -> None:
        """Compile a graph.

        Args:
            graph: A valid graph, with its back edges computed.
            compile_condition: Compiles an expression.
            encode: Encodes a value.
            decode: Decodes what ``encode`` made.

        Raises:
            ExpressionError: An expression does not compile.
            InvalidDefinitionError: The back edges are not those of this graph.
        """
        self.graph = graph
        self.encode = encode
        self.decode = decode
        self.compile = compile_condition
        self.can_undo = any(node.compensable for node in graph.nodes.values())
        self.expressions: dict[str, Condition] = {}
        outgoing: dict[str, list[tuple[int, Edge]]] = {name: [] for name in graph.nodes}
        incoming: Counter[str] = Counter()
        for index, edge in enumerate(graph.edges):
            outgoing[edge.source].append((index, edge))
            incoming[edge.target] += 1
        loops = _loops(graph)
        self.steps: dict[str, StepProgram] = {}
        for name, node in graph.nodes.items():
            merges = node.join.kind != "each" and (incoming[name] > 1 or node.join.kind != "auto")
            reach = JoinReach(name, graph.edges, loops) if merges else None
            self.steps[name] = StepProgram(node, self._exits(outgoing[name]), reach)

    def expression(self, source: str) -> Condition:
        """Compile an expression of a node, once."""
        condition = self.expressions.get(source)
        if condition is None:
            condition = self.expressions[source] = self.compile(source)
        return condition

    def _exits(self, outgoing: Iterable[tuple[int, Edge]]) -> dict[Outcome, tuple[Exit, ...]]:
        exits: dict[Outcome, list[Exit]] = {outcome: [] for outcome in Outcome}
        for index, edge in outgoing:
            condition = self.expression(edge.condition) if edge.condition is not None else None
            exits[edge.on].append(Exit(index, edge.target, condition, edge.computed, edge.default, edge.named))
        if not exits[Outcome.SKIPPED]:
            exits[Outcome.SKIPPED] = exits[Outcome.SUCCESS]
        if not exits[Outcome.TIMEOUT]:
            exits[Outcome.TIMEOUT] = exits[Outcome.FAILURE]
        return {outcome: tuple(found) for outcome, found in exits.items()}


def _loops(graph: WorkflowGraph) -> dict[int, frozenset[str]]:
    try:
        return loops_of(graph.nodes, graph.edges, frozenset(graph.back_edges))
    except CycleError as error:
        cycle = " → ".join(reversed(error.args[1]))
        problem = Problem("back-edges", cycle, "none of its edges is a back edge", "find them with `find_back_edges`")
        raise InvalidDefinitionError(graph.name, [problem]) from error
