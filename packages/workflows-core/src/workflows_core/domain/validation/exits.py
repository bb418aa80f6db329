"""The edges that leave a step: which can be taken, and whether one always can."""

from __future__ import annotations

from typing import TypeAlias

from workflows_core.domain.graph import Edge, GatewayNode
from workflows_core.domain.types import Outcome
from workflows_core.domain.validation.findings import Findings, about_edge, about_step, listed
from workflows_core.domain.validation.view import GraphView

__all__ = ["check_exits"]

Exits: TypeAlias = list[tuple[int, Edge]]


def check_exits(view: GraphView) -> Findings:
    """Conditions, defaults and edges of terminal steps; where an edge leads does not matter here."""
    leaving: dict[str, Exits] = {name: [] for name in view.graph.nodes}
    for index, edge in enumerate(view.graph.edges):
        yield from _one_rule(view, index, edge)
        leaving.get(edge.source, []).append((index, edge))
    for name, exits in leaving.items():
        node = view.graph.nodes[name]
        if node.terminal and exits:
            message = f"it is terminal, so its edges to {listed(edge.target for _, edge in exits)} are never taken"
            yield about_step(
                view, name, "terminal_with_edges", message, "remove the edges, or the mark", is_warning=True
            )
        gateway = node.kind if isinstance(node.kind, GatewayNode) else None
        for outcome in Outcome:
            same = [(index, edge) for index, edge in exits if edge.on is outcome]
            yield from _defaults(view, same)
            if gateway is None:
                continue
            if gateway.kind == "exclusive":
                yield from _never_taken(view, same)
            if gateway.kind == "parallel":
                yield from _ignored(view, same)
            elif outcome is Outcome.SUCCESS:
                yield from _may_be_stuck(view, name, gateway.kind, same)


def _one_rule(view: GraphView, index: int, edge: Edge) -> Findings:
    """An edge is taken for one reason."""
    rules = [
        rule
        for rule, given in (
            ("a condition", edge.condition is not None),
            ("a computed condition", edge.computed),
            ("a named successor", edge.named),
            ("the default", edge.default),
        )
        if given
    ]
    if len(rules) > 1:
        message = f"it is {' and '.join(rules)} at once"
        yield about_edge(view, index, "ambiguous_condition", message, "keep one of them, or make two edges")


def _defaults(view: GraphView, exits: Exits) -> Findings:
    """At most one default for an outcome, and only where something else may hold instead."""
    defaults = [index for index, edge in exits if edge.default]
    for index in defaults[1:]:
        other = view.graph.edges[defaults[0]].target
        message = f"the step already has a default for this outcome: the edge to {other!r}"
        yield about_edge(view, index, "several_defaults", message, "keep one default, and give the others conditions")
    if defaults and not any(edge.is_conditional for _, edge in exits):
        message = "it is the default, but no other edge of this outcome has a condition"
        mend = "remove the mark, or give the other edges conditions"
        yield about_edge(view, defaults[0], "default_without_condition", message, mend)


def _never_taken(view: GraphView, exits: Exits) -> Findings:
    """An exclusive gateway takes the first edge that holds: what stands behind one that always holds is dead."""
    tried = [(index, edge) for index, edge in exits if not edge.default]
    always = next((position for position, (_, edge) in enumerate(tried) if not edge.is_conditional), None)
    if always is not None:
        first = tried[always][1].target
        dead = tried[always + 1 :]
        if any(edge.is_conditional for _, edge in tried):
            dead = dead + [(index, edge) for index, edge in exits if edge.default]
        for index, _ in dead:
            message = f"it is never taken: the edge to {first!r} has no condition and is tried first"
            mend = f"give the edge to {first!r} a condition, or make it the last one"
            yield about_edge(view, index, "edge_never_taken", message, mend)
        tried = tried[:always]
    seen: dict[str, str] = {}
    for index, edge in tried:
        if edge.condition is None:
            continue
        condition = edge.condition.strip()
        if condition in seen:
            message = f"it has the same condition as the edge to {seen[condition]!r}, which is tried first"
            yield about_edge(view, index, "duplicate_condition", message, "correct one of the conditions")
        seen.setdefault(condition, edge.target)


def _ignored(view: GraphView, exits: Exits) -> Findings:
    """A parallel gateway takes all edges."""
    for index, edge in exits:
        if edge.is_conditional or edge.default:
            message = "its condition is ignored: a parallel gateway takes every edge"
            yield about_edge(
                view, index, "condition_ignored", message, "remove the condition, or use an inclusive gateway"
            )


def _may_be_stuck(view: GraphView, name: str, kind: str, exits: Exits) -> Findings:
    """A gateway whose edges all have conditions fails the instance when none holds."""
    judged = [edge for _, edge in exits if not edge.named]
    if not judged or not all(edge.is_conditional for edge in judged) or any(edge.default for _, edge in exits):
        return
    conditions = {edge.condition.strip() for edge in judged if edge.condition is not None}
    complete = any(f"not {one}" in conditions or f"not ({one})" in conditions for one in conditions)
    if not complete and "True" not in conditions:
        message = f"every edge of this {kind} gateway has a condition; where none holds, the instance fails"
        yield about_step(view, name, "no_default", message, "mark one edge as the default", is_warning=True)
