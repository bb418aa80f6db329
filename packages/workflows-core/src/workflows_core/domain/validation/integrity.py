"""The graph is fit to be stored, hashed and run as it stands."""

from __future__ import annotations

from workflows_core.domain.validation.findings import Findings, about_workflow
from workflows_core.domain.validation.view import GraphView

__all__ = ["check_integrity"]


def check_integrity(view: GraphView) -> Findings:
    """The stored back edges are those of the graph, and all of it can be written as JSON."""
    graph = view.graph
    if tuple(graph.back_edges) != tuple(sorted(view.back)):
        message = f"its back edges are {list(graph.back_edges)}, but its edges make them {sorted(view.back)}"
        mend = "compute them with back_edges_of(graph), or import the document with import_graph"
        yield about_workflow(view, "wrong_back_edges", message, mend)
    try:
        graph.to_json()
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        message = f"it cannot be written as JSON: {str(error) or type(error).__name__}"
        yield about_workflow(view, "not_storable", message, "keep to text, numbers, lists and mappings in its settings")
