"""Every step that is named exists, and is where it is looked for."""

from __future__ import annotations

from collections.abc import Iterator

from workflows_core.domain.graph import ForEachNode, GroupNode
from workflows_core.domain.validation.findings import (
    Finding,
    Findings,
    about_edge,
    about_step,
    about_workflow,
    did_you_mean,
    near_names,
)
from workflows_core.domain.validation.view import GraphView, is_group

__all__ = ["check_references", "meant_names", "unresolved_names"]


def check_references(view: GraphView) -> Findings:
    """The initial step, both ends of every edge, the scopes of steps and the inner steps that groups name."""
    if not view.graph.nodes:
        yield about_workflow(view, "no_steps", "it has no steps", "add at least one step")
        return
    if fault := _fault(view, view.graph.initial, ""):
        code, reason, mend = fault
        yield about_workflow(view, code, f"its initial step {view.graph.initial!r} {reason}", mend)
    yield from _scopes(view)
    yield from _inner_steps(view)
    yield from _edges(view)


def unresolved_names(view: GraphView) -> set[str]:
    """Names that stand where a step is meant, but belong to none."""
    named = {view.graph.initial}
    named.update(name for edge in view.graph.edges for name in (edge.source, edge.target))
    named.update(name for group in view.graph.nodes for _, name in _named_by(view, group))
    return named - set(view.graph.nodes)


def meant_names(view: GraphView) -> set[str]:
    """Steps that the unresolved names probably mean."""
    return {near for name in unresolved_names(view) for near in near_names(name, view.graph.nodes)[:1]}


def _fault(view: GraphView, name: str, scope: str) -> tuple[str, str, str] | None:
    """Code, reason and mend if a name is not a step of a scope."""
    node = view.graph.nodes.get(name)
    if node is None:
        return "unknown_step", "does not exist", did_you_mean(name, view.graph.nodes, "add the step or remove its name")
    if node.scope != scope:
        actual = f"inside {node.scope!r}" if node.scope else "at the top"
        wanted = f"a step inside {scope!r}" if scope else "a step at the top"
        return "wrong_scope", f"is {actual}", f"name {wanted}, or move the step"
    return None


def _scopes(view: GraphView) -> Findings:
    for name, node in view.graph.nodes.items():
        if not node.scope:
            continue
        holder = view.graph.nodes.get(node.scope)
        if holder is None:
            mend = did_you_mean(
                node.scope, [known for known in view.scopes if known], "add the group or correct the name"
            )
            yield about_step(view, name, "unknown_scope", f"it is inside {node.scope!r}, which does not exist", mend)
        elif not is_group(holder):
            message = f"it is inside {node.scope!r}, which is a {holder.step_type} step and holds no steps"
            yield about_step(view, name, "unknown_scope", message, "put it inside a group")
        elif name in {outer for outer, _ in view.enclosing(node.scope)}:
            yield about_step(view, name, "scope_cycle", "it is inside itself", "move one of the groups outwards")


def _named_by(view: GraphView, group: str) -> Iterator[tuple[str, str]]:
    """(role, name) of each inner step that a group names."""
    kind = view.graph.nodes[group].kind
    if isinstance(kind, GroupNode):
        yield from (("entry", name) for name in kind.entry)
        yield from ((f"branch {key!r}", name) for key, name in kind.branches.items())
        if kind.callback is not None:
            yield "callback", kind.callback
    elif isinstance(kind, ForEachNode):
        yield "body", kind.body


def _inner_steps(view: GraphView) -> Findings:
    for group in view.graph.nodes:
        for role, name in _named_by(view, group):
            if fault := _fault(view, name, group):
                code, reason, mend = fault
                yield about_step(view, group, code, f"its {role} {name!r} {reason}", mend)


def _edges(view: GraphView) -> Findings:
    nodes = view.graph.nodes
    first: dict[str, int] = {}
    for index, edge in enumerate(view.graph.edges):
        yield from _ends(view, index)
        source, target = nodes.get(edge.source), nodes.get(edge.target)
        if source is not None and target is not None and source.scope != target.scope:
            message = f"it leads from {_inside(source.scope)} to {_inside(target.scope)}"
            mend = "connect steps of one scope only; a group is left by edges of the group itself"
            yield about_edge(view, index, "edge_between_scopes", message, mend)
        if edge.computed:
            continue  # the callables of two such edges may differ
        key = repr(edge)
        if key in first:
            yield about_edge(
                view, index, "duplicate_edge", f"it repeats edge {first[key] + 1}", "remove one of the two"
            )
        else:
            first[key] = index


def _ends(view: GraphView, index: int) -> Iterator[Finding]:
    edge = view.graph.edges[index]
    for end, name in (("source", edge.source), ("target", edge.target)):
        if name not in view.graph.nodes:
            mend = did_you_mean(name, view.graph.nodes, "add the step or remove the edge")
            yield about_edge(view, index, "unknown_step", f"its {end} {name!r} does not exist", mend)


def _inside(scope: str) -> str:
    return f"the inside of {scope!r}" if scope else "the top"
