"""Edges as they are written, and what their ends may be."""

from __future__ import annotations

from typing import Any, TypeAlias

from workflows_core.authoring.code import ContextFunction
from workflows_core.authoring.step import AnyStep

__all__ = ["AnyEdge", "Condition", "Edge", "End"]

Condition: TypeAlias = str | ContextFunction[bool]
End: TypeAlias = str | AnyStep
"""The end of an edge: the name of a step, its class, the step itself, or a decorated function or method."""


class Edge:
    """A transition from one step to another.

    Args:
        source: The step that is left.
        target: The step that is entered.
        condition: Expression over the data, or a callable of the context (``def`` or ``async def``); None holds always.
        on: Outcome of the source to which the edge belongs: ``"success"``, ``"failure"``, ``"timeout"`` or ``"skipped"``.
        default: Whether to take it when no conditional edge of that outcome holds.
    """

    __slots__ = ("condition", "default", "on", "source", "target")

    def __init__(
        self,
        source: End,
        target: End,
        condition: Condition | None = None,
        *,
        on: str = "success",
        default: bool = False,
    ) -> None:
        self.source = source
        self.target = target
        self.condition = condition
        self.on = on
        self.default = default

    def __repr__(self) -> str:
        parts = [repr(self.source), repr(self.target)]
        if self.condition is not None:
            parts.append(repr(self.condition))
        if self.on != "success":
            parts.append(f"on={self.on!r}")
        if self.default:
            parts.append("default=True")
        return f"Edge({', '.join(parts)})"


AnyEdge: TypeAlias = Edge | tuple[Any, Any] | tuple[Any, Any, Condition | None]
