"""Mermaid flowcharts (https://mermaid.js.org/syntax/flowchart.html), for Mermaid 10 and later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from workflows_core.domain.diagrams.outline import Arrow, Close, Figure, Open, Outline, Shape, outline_of
from workflows_core.domain.graph import WorkflowGraph

__all__ = ["DIRECTIONS", "to_mermaid", "to_mermaid_with_state"]

DIRECTIONS: Final = ("TD", "TB", "BT", "LR", "RL")
"""Ways a diagram can run; ``TD`` and ``TB`` are from top to bottom."""

_SHAPES: Final = {
    Shape.MACHINE: ("[", "]"),
    Shape.HUMAN: ("[/", "/]"),
    Shape.WEBHOOK: (">", "]"),
    Shape.SIGNAL: (">", "]"),
    Shape.TIMER: ("{{", "}}"),
    Shape.GATEWAY: ("{", "}"),
    Shape.START: ("([", "])"),
    Shape.STOP: ("([", "])"),
    Shape.ENTRY: ("((", "))"),
}
_ENTRY_LABEL: Final = "#8226;"

_STYLES: Final = {
    "current": "fill:#fff3bf,stroke:#e67700,stroke-width:3px,color:#212529",
    "waiting": "fill:#d0ebff,stroke:#1971c2,stroke-width:3px,stroke-dasharray:6 3,color:#212529",
    "failed": "fill:#ffe3e3,stroke:#c92a2a,stroke-width:3px,color:#212529",
    "skipped": "fill:#f1f3f5,stroke:#868e96,stroke-dasharray:3 3,color:#495057",
    "completed": "fill:#d3f9d8,stroke:#2b8a3e,color:#212529",
}

_EDGE: Final = "\0"
"""Stands for what is before the first and after the last character."""


def to_mermaid(graph: WorkflowGraph, *, direction: str = "TD") -> str:
    """Draw a graph as a Mermaid flowchart.

    Args:
        graph: Valid or not; references that lead nowhere are left out.
        direction: One of `DIRECTIONS`.

    Returns:
        The diagram, ending with a line break. The same graph gives the same text.

    Raises:
        ValueError: There is no such direction.
    """
    if direction not in DIRECTIONS:
        msg = f"direction {direction!r} does not exist; use one of {', '.join(DIRECTIONS)}"
        raise ValueError(msg)
    return _joined([f"flowchart {direction}", *_body(outline_of(graph))])


def to_mermaid_with_state(
    graph: WorkflowGraph,
    *,
    current_steps: Iterable[str] = (),
    completed_steps: Iterable[str] = (),
    failed_steps: Iterable[str] = (),
    waiting_steps: Iterable[str] = (),
    skipped_steps: Iterable[str] = (),
    direction: str = "TD",
) -> str:
    """Draw a graph as a Mermaid flowchart that shows how far an instance is, by colour and by line.

    Each step is marked once. One that is named several times, as in a loop, shows what it is now: current before waiting, failed,
    skipped and completed. Names that the graph does not have, as of an earlier version, are left out.

    Args:
        graph: Valid or not.
        current_steps: Steps that are active now.
        completed_steps: Steps that succeeded.
        failed_steps: Steps that failed.
        waiting_steps: Steps that wait for a person, for time or for a call.
        skipped_steps: Steps whose guard said no.
        direction: One of `DIRECTIONS`.

    Raises:
        ValueError: There is no such direction.
    """
    outline = outline_of(graph)
    ids = {part.step: part.id for part in outline.parts if isinstance(part, Figure | Open) and part.step is not None}
    given = {
        "current": current_steps,
        "waiting": waiting_steps,
        "failed": failed_steps,
        "skipped": skipped_steps,
        "completed": completed_steps,
    }
    marks: dict[str, str] = {}
    for mark, steps in given.items():
        for step in (steps,) if isinstance(steps, str) else steps:
            if step in ids:
                marks.setdefault(ids[step], mark)
    return to_mermaid(graph, direction=direction) + _joined(_marking(marks))


def _marking(marks: dict[str, str]) -> Iterator[str]:
    for mark, style in _STYLES.items():
        marked = sorted((id_ for id_, given in marks.items() if given == mark), key=lambda id_: int(id_[1:]))
        if marked:
            yield f"    classDef {mark} {style}"
            yield f"    class {','.join(marked)} {mark}"


def _body(outline: Outline) -> Iterator[str]:
    depth = 1
    for part in outline.parts:
        if isinstance(part, Close):
            depth -= 1
            yield f"{_indent(depth)}end"
        elif isinstance(part, Open):
            yield f'{_indent(depth)}subgraph {part.id}["{_escape(part.label)}"]'
            depth += 1
        else:
            yield f"{_indent(depth)}{_figure(part)}"
    for arrow in outline.arrows:
        yield f"{_indent(1)}{_arrow(arrow)}"


def _figure(figure: Figure) -> str:
    before, after = _SHAPES[figure.shape]
    label = _ENTRY_LABEL if figure.shape is Shape.ENTRY else _escape(figure.label)
    return f'{figure.id}{before}"{label}"{after}'


def _arrow(arrow: Arrow) -> str:
    line = "-.->" if arrow.is_back else "-->"
    label = f'|"{_escape(arrow.label)}"|' if arrow.label else ""
    return f"{arrow.source} {line}{label} {arrow.target}"


def _indent(depth: int) -> str:
    return "    " * min(depth, 20)


def _escape(text: str) -> str:
    """A text inside quotes; all that could mean something to Mermaid, Markdown or HTML is written as a numeric entity."""
    spelled = text.replace("\ufb02", "fl").replace("¶ß", "¶\u200bß")  # Mermaid's own marks for entities
    around = zip(f"{_EDGE}{spelled}", spelled, f"{spelled[1:]}{_EDGE}", strict=False)
    return "".join(char if _is_plain(before, char, after) else f"#{ord(char)};" for before, char, after in around)


def _is_plain(before: str, char: str, after: str) -> bool:
    """Whether a character stays as it is.

    Those that Markdown reads (a list, a quotation, an address, two spaces) stay only where it does not.
    """
    match char:
        case " ":
            return not {" ", _EDGE} & {before, after}
        case "_" | "-":
            return before.isalnum() and after.isalnum()
        case ".":
            return before.isalpha() and before not in "wW" and after.isalpha()
        case ")":
            return before.isalpha()
        case _:
            return char in "=,(" or char.isalnum()


def _joined(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
