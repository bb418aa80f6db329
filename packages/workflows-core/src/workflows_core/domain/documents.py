"""Graphs as JSON documents that people and tools exchange: checked on the way in, complete on the way out."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final, NoReturn

import msgspec

from workflows_core.domain.document_shape import shape_problems
from workflows_core.domain.graph import WorkflowGraph
from workflows_core.domain.problems import Problem
from workflows_core.domain.validation.checks import require_valid
from workflows_core.domain.validation.view import back_edges_of
from workflows_core.errors import InvalidDefinitionError

__all__ = ["FORMAT", "export_graph", "import_graph"]

FORMAT: Final = "workflow-graph/1"
"""Marks a document, so that later versions of the library know how to read it."""

_FORMAT_FIELD: Final = "format"
_BACK_EDGES: Final = "back_edges"


def export_graph(graph: WorkflowGraph) -> dict[str, Any]:
    """Turn a graph into a document of JSON values, which shares nothing with it.

    Steps and edges keep the order of their definition; what has its default value is left out, and back edges, which follow from
    the edges. `import_graph` gives an equal graph.
    """
    content: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(graph))
    content.pop(_BACK_EDGES, None)
    return {_FORMAT_FIELD: FORMAT, **content}


def import_graph(document: bytes | str | Mapping[str, Any]) -> WorkflowGraph:
    """Read a document, work out its back edges and validate it.

    Args:
        document: JSON text, or what it decodes to. One without ``format`` is read as `FORMAT`.

    Returns:
        A graph that can run; it shares nothing with the document.

    Raises:
        InvalidDefinitionError: The document is not JSON, has another shape (then each problem's ``where`` is a JSON pointer), or the
            graph in it has errors.
    """
    content = _read(document)
    claimed = content.pop(_FORMAT_FIELD, FORMAT)
    if claimed != FORMAT:
        _refuse(
            content, Problem("unknown_format", "/format", f"the format {claimed!r} is not known", f"use {FORMAT!r}")
        )
    content.pop(_BACK_EDGES, None)
    problems = list(shape_problems(content, WorkflowGraph))
    if problems:
        _refuse(content, *problems)
    graph = msgspec.convert(content, WorkflowGraph)
    graph = msgspec.structs.replace(graph, back_edges=back_edges_of(graph))
    require_valid(graph)
    return graph


def _read(document: bytes | str | Mapping[str, Any]) -> dict[str, Any]:
    """The document as plain JSON values of its own."""
    repeated: list[str] = []

    def pairs(entries: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(entries)
        if len(content) < len(entries):
            keys = [key for key, _ in entries]
            repeated.extend(key for key in content if keys.count(key) > 1)
        return content

    try:
        text = json.dumps(dict(document), allow_nan=False) if isinstance(document, Mapping) else document
        content = json.loads(text, object_pairs_hook=pairs, parse_constant=_number, parse_float=_number)
    except (TypeError, ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        _refuse({}, Problem("malformed_document", "document", f"it is not JSON: {reason}", "send one JSON object"))
    if not isinstance(content, dict):
        _refuse({}, Problem("malformed_document", "document", "it is not a JSON object", "send one JSON object"))
    if repeated:
        mend = "give each step, and each setting, a name of its own"
        _refuse(
            content,
            *(Problem("duplicate_name", "document", f"an object has the key {key!r} twice", mend) for key in repeated),
        )
    return content


def _number(text: str) -> float:
    """A number with a fraction; refuses NaN, infinity and what would become it."""
    number = float(text)
    if not math.isfinite(number):
        msg = f"{text} is no number that can be stored"
        raise ValueError(msg)
    return number


def _refuse(content: Mapping[str, Any], *problems: Problem) -> NoReturn:
    name = content.get("name")
    raise InvalidDefinitionError(name if isinstance(name, str) else "", problems)
