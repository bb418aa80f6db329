"""Edges become edges of the graph: their ends are found, conditions in code are kept aside, successors that steps name are added."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from workflows_core.authoring.code import AuthorFunction
from workflows_core.authoring.edge import AnyEdge, Edge
from workflows_core.authoring.functions import FunctionHumanStep, FunctionStep, declaration_of
from workflows_core.authoring.report import Report
from workflows_core.authoring.sources import step_name
from workflows_core.authoring.step import StepAttributes
from workflows_core.authoring.step_compiler import StepCompiler
from workflows_core.authoring.successors import Successors, returned_successors
from workflows_core.domain.graph import Edge as GraphEdge, GatewayNode
from workflows_core.domain.types import Outcome
from workflows_core.domain.validation.findings import did_you_mean

__all__ = ["EdgeCompiler"]


class EdgeCompiler:
    """Collects the edges of the top of a workflow.

    Attributes:
        edges: In the order of the definition; the successors that steps name themselves come last.
        conditions: Conditions in code by index of their edge.
    """

    def __init__(self, steps: StepCompiler, report: Report) -> None:
        self.edges: list[GraphEdge] = []
        self.conditions: dict[int, Callable[..., Any]] = {}
        self._steps = steps
        self._report = report

    def add_all(self, edges: Iterable[AnyEdge]) -> None:
        """Add the edges that the author wrote, then those to the successors that steps name themselves."""
        for written in edges:
            edge = self._as_edge(written)
            if edge is not None:
                self._add(edge)
        explicit = bool(self.edges)
        leaving = {edge.source for edge in self.edges if edge.on is Outcome.SUCCESS}
        for name, step in self._steps.steps.items():
            self._add_successors(name, step, has_edges=name in leaving, explicit=explicit)

    def name_of(self, end: Any, source: object, target: object) -> str:
        """The name of the step that is meant by the end of an edge; what is not found is left to the validation of the graph."""
        if isinstance(end, str):
            return end
        found = self._steps.named(end)
        if len(found) > 1:
            message = f"it may mean {' or '.join(map(repr, found))}"
            self._report.about_edge(source, target, "ambiguous_step", message, "write the name of the step")
        if found:
            return found[0]
        return step_name(end) if isinstance(end, type | StepAttributes) or declaration_of(end) else str(end)

    def refuse_unknown(self, name: str) -> None:
        """Report a terminal step that does not exist."""
        mend = did_you_mean(name, self._steps.nodes, "add the step or remove its name")
        self._report.about_workflow("unknown_step", f"its terminal step {name!r} does not exist", mend)

    def _as_edge(self, written: Any) -> Edge | None:
        if isinstance(written, Edge):
            return written
        if isinstance(written, tuple | list) and len(written) in (2, 3):
            return Edge(*written)
        mend = "write Edge(source, target), or (source, target) or (source, target, condition)"
        self._report.about_workflow("bad_edge", f"{written!r} is no edge", mend)
        return None

    def _add(self, edge: Edge) -> None:
        source, target = (self.name_of(end, edge.source, edge.target) for end in (edge.source, edge.target))
        on, condition = self._outcome(source, target, edge.on), edge.condition
        text = condition if isinstance(condition, str) else None
        if condition is not None and text is None and not callable(condition):
            mend = "write an expression as text, or a callable of the context"
            self._report.about_edge(source, target, "bad_condition", f"its condition is {condition!r}", mend)
        named = on is Outcome.SUCCESS and not edge.default and self._chooses_by_code(source)
        if named and condition is not None:
            mend = "remove the condition, or let the gateway look at conditions instead of choosing by code"
            self._report.about_edge(source, target, "ambiguous_condition", "its gateway chooses by code", mend)
            condition = text = None
        if callable(condition):
            self._report.refuse_unmarked(f"edge {source!r} → {target!r}", AuthorFunction("its condition", condition))
            self.conditions[len(self.edges)] = condition
        self.edges.append(GraphEdge(source, target, on, text, callable(condition), edge.default, named))

    def _outcome(self, source: str, target: str, on: str) -> Outcome:
        try:
            return Outcome(on)
        except ValueError:
            mend = did_you_mean(str(on), map(str, Outcome), f"write one of {', '.join(Outcome)}")
            self._report.about_edge(source, target, "bad_outcome", f"there is no outcome {on!r}", mend)
            return Outcome.SUCCESS

    def _chooses_by_code(self, name: str) -> bool:
        node = self._steps.nodes.get(name)
        return node is not None and isinstance(node.kind, GatewayNode) and node.kind.computed

    # Successors that steps name themselves

    def _add_successors(self, name: str, step: Any, *, has_edges: bool, explicit: bool) -> None:
        declared = getattr(step, "next", None)
        if declared is not None:
            if has_edges:
                mend = "keep one of them; an edge may have a condition instead"
                self._report.about_step(
                    name, "two_sources", "it has edges and also names its successors with next", mend
                )
            else:
                self._declare(name, declared)
        elif isinstance(step, FunctionStep | FunctionHumanStep) and not has_edges and not step.terminal:
            found = returned_successors(step.function, frozenset(self._steps.steps))
            self._take(name, found, explicit=explicit)

    def _declare(self, name: str, declared: Any) -> None:
        """Edges for ``next=``: one step leads there, a collection is chosen from by the result."""
        single = isinstance(declared, str) or not isinstance(declared, Iterable)
        named = not single or self._chooses_by_code(name)
        for end in [declared] if single else declared:
            self._lead(name, self.name_of(end, name, end), named=named)

    def _lead(self, name: str, target: str, *, named: bool) -> None:
        self.edges.append(GraphEdge(name, target, named=named))
        code = self._steps.code.get(name)
        if named and (code is None or code.execute is None):
            mend = "write `execute` and return the name of a successor, or write edges with conditions"
            self._report.about_edge(name, target, "never_chosen", f"{name!r} has no code that chooses", mend)

    def _take(self, name: str, found: Successors, *, explicit: bool) -> None:
        """Edges for what the text of a function names."""
        if found.unreadable:
            message = "its source cannot be read to find the successors that it returns"
            self._report.about_step(name, "unreadable_source", message, "write next=… (next=() for none) or edges")
            return
        if found.unknown and (found.names or not explicit):
            for text in found.unknown:
                mend = did_you_mean(
                    text,
                    self._steps.steps,
                    "write the name of a step, or next=() if the text is a result and no successor",
                )
                self._report.about_step(name, "unknown_step", f"it returns {text!r}, which is no step", mend)
        for target in found.names:
            self._lead(name, target, named=True)
