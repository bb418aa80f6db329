"""Names that people, addresses and logs can bear, and that mean one thing only."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import Final

from workflows_core.domain.problems import Problem
from workflows_core.domain.validation.findings import Findings, about_step, about_workflow
from workflows_core.domain.validation.view import GraphView

__all__ = ["MAX_NAME_LENGTH", "check_names", "duplicate_names"]

MAX_NAME_LENGTH: Final = 200
"""Longest name of a workflow or step, in characters."""

_INVISIBLE: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories of characters that break lines, terminals or encodings."""


def duplicate_names(names: Iterable[str]) -> list[Problem]:
    """Problems for names that are given to several steps; a graph cannot have any, so this is for those who build one.

    Args:
        names: Names of all steps, in the order of their definition.

    Returns:
        One problem for each such name, in the order of its first use.
    """
    return [
        Problem("duplicate_name", f"step {name!r}", f"{count} steps have this name", "give each step a name of its own")
        for name, count in Counter(names).items()
        if count > 1
    ]


def check_names(view: GraphView) -> Findings:
    """Names of the workflow and its steps."""
    graph = view.graph
    for what, text in (("name", graph.name), ("version", graph.version)):
        if fault := _fault(text):
            yield about_workflow(view, "bad_name", f"its {what} {fault[0]}", fault[1])
    for key, node in graph.nodes.items():
        if fault := _fault(key):
            yield about_step(view, key, "bad_name", f"its name {fault[0]}", fault[1])
        if node.name != key:
            message = f"the step stored under this name calls itself {node.name!r}"
            yield about_step(view, key, "name_mismatch", message, "use one name in both places")


def _fault(text: str) -> tuple[str, str] | None:
    """What is wrong with a name, and its mend."""
    if not text.strip():
        return "is empty", "give it a name"
    if len(text) > MAX_NAME_LENGTH:
        return (
            f"has {len(text)} characters",
            f"use at most {MAX_NAME_LENGTH}; a longer text belongs into the description",
        )
    if "/" in text:
        return "contains '/'", "use '-' or '.' instead: names are parts of addresses"
    hidden = next((char for char in text if unicodedata.category(char) in _INVISIBLE), None)
    if hidden is not None:
        return f"contains the control character {hidden!a}", "leave it out"
    return None
