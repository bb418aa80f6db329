"""All checks of a definition, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Final

from workflows_core.domain.graph import WorkflowGraph
from workflows_core.domain.problems import Problem
from workflows_core.domain.validation.data_names import check_data_names
from workflows_core.domain.validation.exits import check_exits
from workflows_core.domain.validation.findings import Findings
from workflows_core.domain.validation.integrity import check_integrity
from workflows_core.domain.validation.joins import check_joins
from workflows_core.domain.validation.loops import check_loops
from workflows_core.domain.validation.names import check_names
from workflows_core.domain.validation.overlaps import check_overlaps
from workflows_core.domain.validation.references import check_references
from workflows_core.domain.validation.settings import check_settings
from workflows_core.domain.validation.view import GraphView
from workflows_core.errors import InvalidDefinitionError

__all__ = ["require_valid", "validate_graph"]

_CHECKS: Final[tuple[Callable[[GraphView], Findings], ...]] = (
    check_names,
    check_references,
    check_settings,
    check_data_names,
    check_exits,
    check_joins,
    check_loops,
    check_overlaps,
    check_integrity,
)


def validate_graph(graph: WorkflowGraph) -> list[Problem]:
    """Find everything that is wrong with a graph, or doubtful about it.

    Returns:
        Errors and warnings in the order of the definition: the workflow, its steps, its edges. Empty when there are none.
    """
    view = GraphView(graph)
    findings = [finding for check in _CHECKS for finding in check(view)]
    return [finding.problem for finding in sorted(findings, key=attrgetter("place"))]


def require_valid(graph: WorkflowGraph) -> None:
    """Refuse a graph that cannot run; warnings pass.

    Raises:
        InvalidDefinitionError: The graph has errors; lists all of them.
    """
    errors = [problem for problem in validate_graph(graph) if not problem.is_warning]
    if errors:
        raise InvalidDefinitionError(graph.name, errors)
