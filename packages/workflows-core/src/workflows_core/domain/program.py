"""A graph made ready to run: exits sorted by outcome, conditions compiled, reach computed once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from workflows_core.domain.graph import Edge, GatewayNode, Node, NodeKind, WorkflowGraph
from workflows_core.domain.structure import forward_reach
from workflows_core.domain.types import Outcome, StepType

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
        ends: Whether a token ends here whatever the edges say.
        first_only: Whether the first exit that holds is the only one taken.
        merges: Whether it has several incoming edges or a join that is not `auto`.
        reach: Steps that a token here can still reach going forward.
        forward_in: (edge index, source) of its forward incoming edges.
    """

    __slots__ = (
        "ends",
        "exits",
        "first_only",
        "forward_in",
        "kind",
        "merges",
        "name",
        "node",
        "reach",
        "sole",
        "step_type",
    )

    def __init__(
        self,
        node: Node,
        exits: dict[Outcome, tuple[Exit, ...]],
        reach: frozenset[str],
        incoming: int,
        forward_in: tuple[tuple[int, str], ...],
    ) -> None:
        self.name = node.name
        self.node = node
        self.kind: NodeKind = node.kind
        self.step_type: StepType = node.step_type
        self.exits = exits
        success = exits[Outcome.SUCCESS]
        self.sole = success[0] if len(success) == 1 and not success[0].is_conditional else None
        self.ends = bool(node.terminal)
        self.first_only = isinstance(node.kind, GatewayNode) and node.kind.kind == "exclusive"
        self.merges = (incoming > 1 or node.join.kind in ("all", "n", "any")) and node.join.kind != "each"
        self.reach = reach
        self.forward_in = forward_in


class Program:
    """A graph that the kernel can run.

    Attributes:
        graph: The graph.
        steps: Steps by name.
        encode: Encodes a value as the payloads are encoded.
        decode: Decodes a payload.
        expressions: Compiled expressions by their source: selectors and sources of groups.
    """

    __slots__ = ("compile", "decode", "encode", "expressions", "graph", "steps")

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
        """
        self.graph = graph
        self.encode = encode
        self.decode = decode
        self.compile = compile_condition
        self.expressions: dict[str, Condition] = {}
        reach = forward_reach(graph.nodes, graph.edges, graph.back_edges)
        back = frozenset(graph.back_edges)
        self.steps: dict[str, StepProgram] = {}
        for name, node in graph.nodes.items():
            incoming = [(index, edge.source) for index, edge in enumerate(graph.edges) if edge.target == name]
            forward_in = tuple((index, source) for index, source in incoming if index not in back)
            self.steps[name] = StepProgram(node, self._exits(name), reach[name], len(incoming), forward_in)

    def expression(self, source: str) -> Condition:
        """Compile an expression of a node, once."""
        condition = self.expressions.get(source)
        if condition is None:
            condition = self.expressions[source] = self.compile(source)
        return condition

    def _exits(self, name: str) -> dict[Outcome, tuple[Exit, ...]]:
        exits: dict[Outcome, list[Exit]] = {outcome: [] for outcome in Outcome}
        for index, edge in enumerate(self.graph.edges):
            if edge.source == name:
                exits[edge.on].append(self._exit(index, edge))
        if not exits[Outcome.SKIPPED]:
            exits[Outcome.SKIPPED] = exits[Outcome.SUCCESS]
        if not exits[Outcome.TIMEOUT]:
            exits[Outcome.TIMEOUT] = exits[Outcome.FAILURE]
        return {outcome: tuple(found) for outcome, found in exits.items()}

    def _exit(self, index: int, edge: Edge) -> Exit:
        condition = self.expression(edge.condition) if edge.condition is not None else None
        return Exit(index, edge.target, condition, edge.computed, edge.default, edge.named)
