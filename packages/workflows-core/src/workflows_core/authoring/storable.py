"""A graph in the one form in which it is stored, so that equal workflows have equal hashes."""

from __future__ import annotations

from functools import cache
from typing import Any, Final, TypeVar

import msgspec

from workflows_core.authoring.report import Report
from workflows_core.domain.graph import Node, WorkflowGraph

__all__ = ["storable_graph"]

S = TypeVar("S", bound=msgspec.Struct)

_FAULTS: Final = (TypeError, ValueError, RecursionError)
_MEND: Final = "give it what the graph can store"


def storable_graph(graph: WorkflowGraph, report: Report) -> WorkflowGraph | None:
    """The graph as it comes back from a store; None if values have wrong types, which are reported."""
    nodes: dict[str, Node] = {}
    for name, node in graph.nodes.items():
        try:
            nodes[name] = _canonical_node(msgspec.json.decode(msgspec.json.encode(node), type=Node))
        except _FAULTS as error:
            report.about_step(str(name), "bad_type", str(error), _MEND)
    if len(nodes) < len(graph.nodes):
        return None
    try:
        stored = WorkflowGraph.from_json(graph.to_json())
    except _FAULTS as error:
        report.about_workflow("bad_type", str(error), _MEND)
        return None
    edges = tuple(_canonical(edge) for edge in stored.edges)
    return _canonical(msgspec.structs.replace(stored, nodes=nodes, edges=edges))


def _canonical_node(node: Node) -> Node:
    return _canonical(msgspec.structs.replace(node, kind=_canonical(node.kind)))


def _canonical(value: S) -> S:
    """An equal value whose defaults are the default objects themselves: only these are left out of the encoding."""
    kept: dict[str, Any] = {}
    for name, default in _defaults(type(value)).items():
        given = getattr(value, name)
        if type(given) is not type(default) or given != default:
            kept[name] = given
    return type(value)(**kept)


@cache
def _defaults(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The default of each field; what stands for none is equal to no value."""
    return {field.name: field.default for field in msgspec.structs.fields(kind)}
