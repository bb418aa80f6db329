"""What a diagram of a graph shows: figures, frames around them, arrows between them; no language yet."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Final, TypeAlias

from workflows_core.domain.graph import INSTANCE, Edge, ForEachNode, GatewayNode, GroupNode, Node, WorkflowGraph
from workflows_core.domain.structure import entries_of
from workflows_core.domain.types import Outcome

__all__ = ["MAX_LABEL_LENGTH", "Arrow", "Close", "Figure", "Open", "Outline", "Part", "Shape", "outline_of", "visible"]

MAX_LABEL_LENGTH: Final = 120
"""Longest label, in characters; longer ones are cut."""

_HIDDEN: Final = frozenset({"Cc", "Cs", "Zl", "Zp", "Cn"})
_DIRECTIONAL: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Shape(StrEnum):
    """Form of a figure."""

    MACHINE = auto()
    HUMAN = auto()
    WEBHOOK = auto()
    SIGNAL = auto()
    TIMER = auto()
    GATEWAY = auto()
    START = auto()
    """Where a workflow begins."""
    STOP = auto()
    """Where it ends."""
    ENTRY = auto()
    """Where a group begins."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A shape with a label; `step` is the step that it stands for, None for a marker."""

    id: str
    shape: Shape
    label: str
    step: str | None = None


@dataclass(frozen=True, slots=True)
class Open:
    """A frame begins: a group; `anchor` is the id of the marker inside it that arrows may be tied to."""

    id: str
    label: str
    step: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Close:
    """The frame that was opened last ends."""


@dataclass(frozen=True, slots=True)
class Arrow:
    """A line from one figure or frame to another; `is_back` when it leads back in a loop."""

    source: str
    target: str
    label: str = ""
    is_back: bool = False


Part: TypeAlias = Figure | Open | Close


@dataclass(frozen=True, slots=True)
class Outline:
    """Parts in reading order, frames opened and closed like brackets; then the arrows."""

    parts: tuple[Part, ...]
    arrows: tuple[Arrow, ...]


def visible(text: str) -> str:
    """A text on one line, of at most `MAX_LABEL_LENGTH` characters, without characters that cannot be seen.

    ASCII control characters become their pictures (a line break is ␊); what has no picture becomes U+FFFD, also characters that turn
    the direction of writing.
    """
    shown = "".join(map(_visible_character, text[:MAX_LABEL_LENGTH]))
    return f"{shown[:-1]}…" if len(text) > MAX_LABEL_LENGTH else shown


def _visible_character(char: str) -> str:
    if char < " ":
        return chr(0x2400 + ord(char))
    if char == "\x7f":
        return "\u2421"
    return "\ufffd" if char in _DIRECTIONAL or unicodedata.category(char) in _HIDDEN else char


def outline_of(graph: WorkflowGraph) -> Outline:
    """Work out what a diagram of a graph shows."""
    return _Outliner(graph).outline()


class _Outliner:
    """Gives ids, nests the groups and collects the arrows."""

    def __init__(self, graph: WorkflowGraph) -> None:
        self._graph = graph
        self._ids = {name: f"n{index}" for index, name in enumerate(graph.nodes)}
        self._scopes = {name: self._scope_of(name) for name in graph.nodes}
        self._top = [name for name, scope in self._scopes.items() if not scope]
        self._inner: dict[str, list[str]] = {}
        for name, scope in self._scopes.items():
            if scope:  # a group without a name holds nothing: an empty scope is the top
                self._inner.setdefault(scope, []).append(name)

    def outline(self) -> Outline:
        arrows = (*self._entering(), *self._between(), *self._ending())
        parts = list(self._parts())
        if self._graph.initial in self._ids:
            parts.insert(0, Figure("start", Shape.START, "Start"))
        if any(arrow.target == "stop" for arrow in arrows):
            parts.append(Figure("stop", Shape.STOP, "End"))
        return Outline(tuple(parts), arrows)

    def _scope_of(self, name: str) -> str:
        """The group that a step is drawn in: none, where its nesting is broken."""
        scope = outer = self._graph.nodes[name].scope
        seen = {name}
        while outer:
            holder = self._graph.nodes.get(outer)
            if holder is None or outer in seen or not isinstance(holder.kind, GroupNode | ForEachNode):
                return ""
            seen.add(outer)
            outer = holder.scope
        return scope

    def _parts(self) -> Iterator[Part]:
        """All parts, nested groups inside their group; without recursion, so any depth can be drawn."""
        stack: list[Iterator[str]] = [iter(self._top)]
        while stack:
            name = next(stack[-1], None)
            if name is None:
                stack.pop()
                if stack:
                    yield Close()
                continue
            node = self._graph.nodes[name]
            if isinstance(node.kind, GroupNode | ForEachNode):
                anchor = self._anchor(name)
                yield Open(self._ids[name], _label(name, node), name, anchor)
                yield Figure(anchor, Shape.ENTRY, "")
                stack.append(iter(self._inner.get(name, ())))
            else:
                yield Figure(self._ids[name], Shape(node.step_type.value), _label(name, node), name)

    def _anchor(self, group: str) -> str:
        return f"{self._ids[group]}_in"

    def _entering(self) -> Iterator[Arrow]:
        """From each start to the steps that get the first tokens."""
        for name in entries_of(self._graph, ""):
            if name in self._ids:
                yield Arrow("start", self._ids[name])
        for group, node in self._graph.nodes.items():
            for name, label in _inner_entries(node):
                if name in self._inner.get(group, ()):
                    yield Arrow(self._anchor(group), self._ids[name], visible(label))

    def _between(self) -> Iterator[Arrow]:
        back = frozenset(self._graph.back_edges)
        for index, edge in enumerate(self._graph.edges):
            if edge.source in self._ids and edge.target in self._ids:
                source, target = self._end(edge.source, edge.target), self._end(edge.target, edge.source)
                yield Arrow(source, target, visible(_edge_label(edge)), index in back)

    def _end(self, name: str, other: str) -> str:
        """Where an arrow is tied: a frame cannot be tied to what is inside it (or to itself), so its marker stands in."""
        scope = other
        while scope:
            if scope == name and isinstance(self._graph.nodes[name].kind, GroupNode | ForEachNode):
                return self._anchor(name)
            scope = self._scopes[scope]
        return self._ids[name]

    def _ending(self) -> Iterator[Arrow]:
        """From each step at which the workflow, or its last token, may end."""
        going_on = {edge.source for edge in self._graph.edges if edge.on is Outcome.SUCCESS}
        for name, node in self._graph.nodes.items():
            if node.terminal == INSTANCE:
                yield Arrow(self._ids[name], "stop", "ends the workflow")
            elif not self._scopes[name] and (node.terminal or name not in going_on):
                yield Arrow(self._ids[name], "stop")


def _label(name: str, node: Node) -> str:
    shown = visible(name) or "(no name)"
    match node.kind:
        case GatewayNode(kind="inclusive" | "parallel" as kind) | GroupNode(kind=kind):
            return f"{shown} ({kind})"
        case ForEachNode():
            return f"{shown} (for each)"
        case _:
            return shown


def _inner_entries(node: Node) -> Sequence[tuple[str, str]]:
    """(step, label of the arrow) of each step that a group begins with."""
    match node.kind:
        case GroupNode() as kind:
            return [*((name, "") for name in kind.entry), *((name, key) for key, name in kind.branches.items())]
        case ForEachNode() as kind:
            return [(kind.body, f"each {kind.item}")]
        case _:
            return []


def _edge_label(edge: Edge) -> str:
    parts = [] if edge.on is Outcome.SUCCESS else [f"on {edge.on}"]
    if edge.default:
        parts.append("default")
    if edge.condition is not None:
        parts.append(edge.condition)
    if edge.computed:
        parts.append("computed")
    if edge.named:
        parts.append("by name")
    return ", ".join(parts)
