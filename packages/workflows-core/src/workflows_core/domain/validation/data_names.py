"""Expressions compile, and what a typed workflow reads and writes is part of its state."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from workflows_core.domain.expressions import compile_expression
from workflows_core.domain.graph import ForEachNode, GroupNode, HumanNode, Node, SignalNode, WebhookNode
from workflows_core.domain.reducers import REDUCERS
from workflows_core.domain.templates import template_names
from workflows_core.domain.validation.findings import (
    Finding,
    Findings,
    about_edge,
    about_step,
    about_workflow,
    did_you_mean,
)
from workflows_core.domain.validation.view import GraphView
from workflows_core.errors import ExpressionError

__all__ = ["check_data_names"]

_ALWAYS_THERE: Final = frozenset({"forms", "signals", "webhooks"})


def check_data_names(view: GraphView) -> Findings:
    """Conditions, selectors, sources, templates, reducers and the keys that steps write."""
    written = _written_names(view)
    yield from _reducers(view)
    for name, node in view.graph.nodes.items():
        known = _known_in(view, node.scope, written)
        yield from _expressions(view, name, node, known)
        if known is not None:
            yield from _templates(view, name, node, known)
        yield from _targets(view, name, node)
    for index, edge in enumerate(view.graph.edges):
        if edge.condition is not None:
            source = view.graph.nodes.get(edge.source)
            known = _known_in(view, source.scope if source else "", written)
            if fault := _expression_fault("condition", edge.condition, known):
                yield about_edge(view, index, *fault)


def _written_names(view: GraphView) -> frozenset[str] | None:
    """Data keys of a typed workflow: its state, and what forms, calls and groups write beside it. None when untyped."""
    if view.graph.state_keys is None:
        return None
    names = {*view.graph.state_keys, *_ALWAYS_THERE}
    for node in view.graph.nodes.values():
        names.update(_stored_under(node))
        if isinstance(node.kind, HumanNode) and node.kind.into is None and node.kind.form_schema is not None:
            properties = node.kind.form_schema.get("properties")
            names.update(properties if isinstance(properties, dict) else ())
    return frozenset(names)


def _stored_under(node: Node) -> Iterator[str]:
    """Data keys that a step writes because its definition says so."""
    kind = node.kind
    if isinstance(kind, HumanNode | WebhookNode | SignalNode | GroupNode | ForEachNode) and kind.into is not None:
        yield kind.into
    if isinstance(kind, GroupNode):
        yield from kind.outputs.values()


def _known_in(view: GraphView, scope: str, written: frozenset[str] | None) -> frozenset[str] | None:
    """Data keys that steps of a scope can read: also the item and index of each ``ForEach`` around them."""
    if written is None:
        return None
    kinds = [node.kind for _, node in view.enclosing(scope)]
    return written.union(*((kind.item, kind.index) for kind in kinds if isinstance(kind, ForEachNode)))


def _expressions(view: GraphView, name: str, node: Node, known: frozenset[str] | None) -> Iterator[Finding]:
    match node.kind:
        case GroupNode(selector=str(source)):
            fault = _expression_fault("selector", source, known)
        case ForEachNode(source=str(source)):
            fault = _expression_fault("source", source, known)
        case _:
            fault = None
    if fault is not None:
        yield about_step(view, name, *fault)


def _expression_fault(role: str, source: str, known: frozenset[str] | None) -> tuple[str, str, str] | None:
    """Code, message and mend if an expression does not compile."""
    try:
        compile_expression(source, known)
    except ExpressionError as error:
        reason, _, mend = error.reason.partition("; ")
        shown = source if len(source) <= 80 else f"{source[:80]}…"
        message = f"its {role} {shown!r} is wrong at column {error.position + 1}: {reason}"
        return "bad_expression", message, mend or f"correct the {role}"
    return None


def _templates(view: GraphView, name: str, node: Node, known: frozenset[str]) -> Findings:
    if not isinstance(node.kind, HumanNode):
        return
    for role, template in (
        ("title", node.kind.title),
        ("description", node.kind.description),
        ("assignee", node.kind.assignee),
    ):
        for place in sorted(template_names(template or "") - known):
            mend = did_you_mean(place, known, "add it to the state, or correct the name")
            yield about_step(
                view, name, "unknown_template_name", f"its {role} reads {place!r}, which the state does not have", mend
            )


def _targets(view: GraphView, name: str, node: Node) -> Findings:
    """What is stored beside the typed state can be read by expressions, but not by steps."""
    for key in _stored_under(node):
        if not key:
            yield about_step(view, name, "bad_key", "it stores its result under an empty key", "name the key")
        elif view.graph.state_keys is not None and key not in view.graph.state_keys:
            mend = did_you_mean(key, view.graph.state_keys, "add it to the state")
            message = f"it stores its result under {key!r}, which the state does not have"
            yield about_step(view, name, "unknown_data_key", message, mend, is_warning=True)


def _reducers(view: GraphView) -> Findings:
    for key, reducer in view.graph.reducers.items():
        if reducer not in REDUCERS:
            mend = did_you_mean(reducer, REDUCERS, f"use one of {', '.join(sorted(REDUCERS))}")
            message = f"the reducer {reducer!r} of {key!r} does not exist"
            yield about_workflow(view, "unknown_reducer", message, mend)
        if view.graph.state_keys is not None and key not in view.graph.state_keys:
            mend = did_you_mean(key, view.graph.state_keys, "add it to the state")
            message = f"it has a reducer for {key!r}, which the state does not have"
            yield about_workflow(view, "unknown_data_key", message, mend)
