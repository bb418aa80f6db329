"""Which successors a decorated function names by what it returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from workflows_core.authoring.function_text import (
    SourceUnavailableError,
    annotated_constants,
    returned_constants,
    returns_nothing,
)

__all__ = ["Successors", "returned_successors"]


class Successors(NamedTuple):
    """What was found.

    Attributes:
        names: Steps that are named, in the order of the text.
        unknown: Texts that are returned and are no steps.
        unreadable: Whether the text of the function would have to be read, and cannot be.
    """

    names: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    unreadable: bool = False


def returned_successors(function: Callable[..., Any], steps: frozenset[str]) -> Successors:
    """The successors that a function names: by a ``Literal`` return annotation, else by the constants that it returns.

    Args:
        function: The function.
        steps: Names of all steps that there are.
    """
    if returns_nothing(function):
        return Successors()
    texts = annotated_constants(function)
    if not texts:
        try:
            texts = returned_constants(function)
        except SourceUnavailableError:
            return Successors(unreadable=True)
    known = tuple(text for text in texts if text in steps)
    return Successors(known, tuple(text for text in texts if text not in steps))
