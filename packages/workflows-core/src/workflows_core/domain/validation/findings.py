"""How a check reports: a problem with its place in the definition, so that all can be put in order."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

from workflows_core.domain.graph import Edge
from workflows_core.domain.problems import Problem
from workflows_core.domain.types import Outcome
from workflows_core.domain.validation.view import GraphView

__all__ = ["Finding", "Findings", "about_edge", "about_step", "about_workflow", "did_you_mean", "listed", "near_names"]


class Finding(NamedTuple):
    """A problem and where it belongs: (0, 0) the workflow, (1, n) the n-th step, (2, n) the n-th edge."""

    place: tuple[int, int]
    problem: Problem


Findings: TypeAlias = Iterator[Finding]


def about_workflow(view: GraphView, code: str, message: str, mend: str) -> Finding:
    """An error of the workflow as a whole."""
    return Finding((0, 0), Problem(code, f"workflow {view.graph.name!r}", message, mend))


def about_step(view: GraphView, name: str, code: str, message: str, mend: str, *, is_warning: bool = False) -> Finding:
    """An error, or a warning, about a step."""
    return Finding((1, view.place[name]), Problem(code, f"step {name!r}", message, mend, is_warning))


def about_edge(view: GraphView, index: int, code: str, message: str, mend: str, *, is_warning: bool = False) -> Finding:
    """An error, or a warning, about an edge."""
    return Finding((2, index), Problem(code, _edge_name(view.graph.edges[index]), message, mend, is_warning))


def _edge_name(edge: Edge) -> str:
    outcome = "" if edge.on is Outcome.SUCCESS else f" (on {edge.on})"
    return f"edge {edge.source!r} → {edge.target!r}{outcome}"


def near_names(name: str, known: Iterable[str]) -> list[str]:
    """Known names that resemble one, the nearest first."""
    return difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.6)


def did_you_mean(name: str, known: Iterable[str], otherwise: str) -> str:
    """A mend for a wrong name: the names that resemble it, or else what to do."""
    near = near_names(name, known)
    return f"did you mean {' or '.join(map(repr, near))}?" if near else otherwise


def listed(names: Iterable[str]) -> str:
    """Names for a sentence, quoted; a long list is cut."""
    quoted = [repr(name) for name in names]
    return ", ".join(quoted[:8]) + (f" and {len(quoted) - 8} more" if len(quoted) > 8 else "")
