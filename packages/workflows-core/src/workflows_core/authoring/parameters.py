"""What functions of the author want beside the context: parameters that are marked, and those that would get nothing."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Annotated, Any, Final, NamedTuple, TypeAlias, TypeVar, get_origin, get_type_hints

import msgspec

__all__ = ["Injected", "Parameter", "further_parameters", "is_injected", "is_marked", "type_name", "unmarked"]

T = TypeVar("T")


class _Mark:
    """The mark of `Injected`."""

    def __repr__(self) -> str:
        return "injected"


_INJECTED: Final = _Mark()

Injected: TypeAlias = Annotated[T, _INJECTED]
"""Marks a parameter that the engine's injector provides: ``async def execute(self, context, ledger: Injected[Ledger])``."""


class Parameter(NamedTuple):
    """A parameter beyond those that every function of its kind gets.

    Attributes:
        name: Its name; it is given by it.
        annotation: Evaluated, with what ``Annotated`` adds; `Any` if there is none.
        is_required: Whether it has no default.
        unreadable: Why its annotation cannot be evaluated; empty if it can.
    """

    name: str
    annotation: Any
    is_required: bool
    unreadable: str = ""


def further_parameters(function: Callable[..., Any], given: int) -> list[Parameter]:
    """The parameters of a function, or of the constructor of a class, after the first ones; but not ``*args`` and ``**kwargs``.

    Args:
        function: The function.
        given: How many arguments it gets by position.
    """
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # something built in
        return []
    by_position = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    taken = {each.name for each in by_position[:given]}
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [_read(function, each) for each in parameters if each.kind in kinds and each.name not in taken]


def is_marked(annotation: Any) -> bool:
    """Whether an annotation says that somebody provides the parameter: it is ``Annotated`` with more than limits and texts."""
    if get_origin(annotation) is not Annotated:
        return False
    return any(not isinstance(extra, msgspec.Meta | str) for extra in annotation.__metadata__)


def is_injected(annotation: Any) -> bool:
    """Whether an annotation is marked with `Injected`, which every injector understands."""
    return get_origin(annotation) is Annotated and any(extra is _INJECTED for extra in annotation.__metadata__)


def unmarked(annotation: Any) -> Any:
    """The type itself, without what ``Annotated`` adds."""
    return annotation.__origin__ if get_origin(annotation) is Annotated else annotation


def type_name(annotation: Any) -> str:
    """A type as a reader would write it, without its mark."""
    wanted = unmarked(annotation)
    return wanted.__qualname__ if isinstance(wanted, type) else str(wanted)


def _read(function: Callable[..., Any], parameter: inspect.Parameter) -> Parameter:
    is_required = parameter.default is parameter.empty
    annotation = Any if parameter.annotation is parameter.empty else parameter.annotation
    if isinstance(annotation, str):
        try:
            annotation = _evaluated(annotation, function)
        except Exception as error:  # noqa: BLE001 - any expression may stand there
            return Parameter(parameter.name, Any, is_required, f"{type(error).__name__}: {error}")
    return Parameter(parameter.name, annotation, is_required)


def _evaluated(annotation: str, function: Any) -> Any:
    while isinstance(function, partial):
        function = function.func
    function = inspect.unwrap(function)
    names = getattr(function, "__globals__", None) or vars(sys.modules[function.__module__])
    return get_type_hints(SimpleNamespace(__annotations__={"": annotation}), names, include_extras=True)[""]
