"""Graphviz DOT (https://graphviz.org/doc/info/lang.html)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from workflows_core.domain.diagrams.outline import Arrow, Close, Figure, Open, Outline, Shape, outline_of, visible
from workflows_core.domain.graph import WorkflowGraph

__all__ = ["to_graphviz"]

_SHAPES: Final = {
    Shape.MACHINE: "shape=box",
    Shape.HUMAN: "shape=parallelogram",
    Shape.WEBHOOK: "shape=cds",
    Shape.SIGNAL: "shape=cds",
    Shape.TIMER: "shape=hexagon",
    Shape.GATEWAY: "shape=diamond",
    Shape.START: "shape=box, style=rounded",
    Shape.STOP: "shape=box, style=rounded",
    Shape.ENTRY: "shape=point",
}
_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "&": "&amp;"})


def to_graphviz(graph: WorkflowGraph) -> str:
    """Draw a graph in the DOT language: groups as clusters, edges that lead back as dashed lines.

    Args:
        graph: Valid or not; references that lead nowhere are left out.

    Returns:
        The diagram, ending with a line break. The same graph gives the same text.
    """
    head = ["digraph workflow {", f"    label={_quoted(visible(graph.name))};", "    compound=true;"]
    return "".join(f"{line}\n" for line in (*head, *_body(outline_of(graph)), "}"))


def _body(outline: Outline) -> Iterator[str]:
    depth = 1
    for part in outline.parts:
        if isinstance(part, Close):
            depth -= 1
            yield f"{_indent(depth)}}}"
        elif isinstance(part, Open):
            yield f"{_indent(depth)}subgraph cluster_{part.id} {{"
            depth += 1
            yield f"{_indent(depth)}label={_quoted(part.label)};"
        else:
            yield f"{_indent(depth)}{_figure(part)}"
    ties = _ties(outline)
    for arrow in outline.arrows:
        yield f"{_indent(1)}{_arrow(arrow, ties)}"


def _ties(outline: Outline) -> dict[str, tuple[str, str]]:
    """For each frame the first and the last figure in it: arrows into it are tied to the one, arrows out of it to the other."""
    ties: dict[str, tuple[str, str]] = {}
    opened: list[Open] = []
    last = ""
    for part in outline.parts:
        if isinstance(part, Open):
            opened.append(part)
        elif isinstance(part, Figure):
            last = part.id
        else:
            frame = opened.pop()
            ties[frame.id] = (frame.anchor, last)
    return ties


def _figure(figure: Figure) -> str:
    return f"{figure.id} [label={_quoted(figure.label)}, {_SHAPES[figure.shape]}];"


def _arrow(arrow: Arrow, ties: dict[str, tuple[str, str]]) -> str:
    """A line between two figures; at a frame it is tied to a figure inside and cut at the border."""
    attributes = [f"label={_quoted(arrow.label)}"] if arrow.label else []
    if arrow.is_back:
        attributes.append("style=dashed")
    source, target = arrow.source, arrow.target
    if source in ties:
        attributes.append(f"ltail=cluster_{source}")
        source = ties[source][1]
    if target in ties:
        attributes.append(f"lhead=cluster_{target}")
        target = ties[target][0]
    shown = f" [{', '.join(attributes)}]" if attributes else ""
    return f"{source} -> {target}{shown};"


def _quoted(text: str) -> str:
    return f'"{text.translate(_ESCAPES)}"'


def _indent(depth: int) -> str:
    return "    " * min(depth, 20)
