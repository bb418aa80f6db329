"""Functions and methods as steps: what a decorator noted about them, and the step that stands for them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from workflows_core.authoring.function_text import is_empty
from workflows_core.authoring.human import BaseHumanStep
from workflows_core.authoring.step import BaseMachineStep

__all__ = ["FunctionHumanStep", "FunctionStep", "StepDeclaration", "declaration_of", "declare", "function_step"]

_DECLARATION: Final = "__workflow_step__"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDeclaration:
    """What a decorator said about a function.

    Attributes:
        name: Name of the step.
        human: Whether a person does it, and the function is called after the completion.
        initial: Whether the workflow begins with it.
        compensation: Undoes what the function did.
        options: Further arguments of the step's class.
    """

    name: str
    human: bool = False
    initial: bool = False
    compensation: Callable[..., Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def declare(function: Callable[..., Any], declaration: StepDeclaration) -> None:
    """Note on a function that it is a step; the function itself stays as it is."""
    function.__dict__[_DECLARATION] = declaration


def declaration_of(function: object) -> StepDeclaration | None:
    """What a decorator noted about a function, or about what a static or class method is made of; None if it is no step."""
    inner = function.__func__ if isinstance(function, staticmethod | classmethod) else None
    declaration = getattr(function, _DECLARATION, None) or getattr(inner, _DECLARATION, None)
    return declaration if isinstance(declaration, StepDeclaration) else None


class FunctionStep(BaseMachineStep):
    """A machine step made of a function.

    Attributes:
        function: The function as it was decorated.
    """

    def __init__(self, function: Callable[..., Any], bound: Callable[..., Any], declaration: StepDeclaration) -> None:
        super().__init__(name=declaration.name, summary=first_line(function), **declaration.options)
        self.function = function
        self.execute = bound  # type: ignore[method-assign]


class FunctionHumanStep(BaseHumanStep):
    """A human step made of a function, which is called after the completion unless its body is empty.

    Attributes:
        function: The function as it was decorated.
    """

    def __init__(self, function: Callable[..., Any], bound: Callable[..., Any], declaration: StepDeclaration) -> None:
        super().__init__(name=declaration.name, summary=first_line(function), **declaration.options)
        self.function = function
        if not is_empty(function):
            self.execute = bound  # type: ignore[method-assign]


AnyFunctionStep: TypeAlias = FunctionStep | FunctionHumanStep


def function_step(function: Callable[..., Any], declaration: StepDeclaration, owner: object = None) -> AnyFunctionStep:
    """The step that stands for a decorated function.

    Args:
        function: The function.
        declaration: What its decorator noted.
        owner: Object to whose methods the function may belong; it is then bound to it.
    """
    step = (FunctionHumanStep if declaration.human else FunctionStep)(function, _bound(function, owner), declaration)
    if declaration.compensation is not None:
        step.compensate = _bound(declaration.compensation, owner)  # type: ignore[method-assign]
    return step


def _bound(function: Callable[..., Any], owner: object) -> Callable[..., Any]:
    """The function, as a method of its owner if it is one."""
    if owner is not None and inspect.getattr_static(type(owner), getattr(function, "__name__", ""), None) is function:
        bound: Callable[..., Any] = function.__get__(owner)
        return bound
    return function


def first_line(documented: object) -> str:
    """The first line of a docstring of its own; empty if there is none."""
    text = getattr(documented, "__dict__", {}).get("__doc__") if isinstance(documented, type) else documented.__doc__
    return inspect.cleandoc(text).partition("\n")[0] if isinstance(text, str) else ""
