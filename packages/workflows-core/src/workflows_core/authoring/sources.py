"""What may stand for a step: an object, a class that makes one, a group, or a decorated function."""

from __future__ import annotations

from typing import Any

from workflows_core.authoring.functions import declaration_of, function_step
from workflows_core.authoring.naming import snake_case
from workflows_core.authoring.step import StepAttributes
from workflows_core.errors import DefinitionError

__all__ = ["NotAStepError", "as_step", "step_name"]


class NotAStepError(DefinitionError):
    """Raised when something stands where a step is wanted and is none; fields: what it is, and why it is none."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(source, reason)
        self.source = source
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.source} is not a step: {self.reason}"


def as_step(source: Any, owner: object = None) -> Any:
    """The step object for what an author wrote.

    Args:
        source: A step object, a class with a constructor without arguments, a group, or a function with ``@step``.
        owner: The workflow object to whose methods a function may belong.

    Raises:
        NotAStepError: It is none of these.
    """
    declaration = declaration_of(source)
    if declaration is not None:
        return function_step(source, declaration, owner)
    if isinstance(source, type):
        try:
            return source()
        except TypeError as error:
            raise NotAStepError(_shown(source), f"{error}; write an object instead of the class") from error
    if isinstance(source, StepAttributes) or hasattr(source, "step_type") or callable(getattr(source, "execute", None)):
        return source
    reason = "decorate it with @step" if callable(source) else "it has no execute method"
    raise NotAStepError(_shown(source), reason)


def step_name(source: Any) -> str:
    """The name that a step has by itself, before a definition gives it another."""
    declaration = declaration_of(source)
    if declaration is not None:
        return declaration.name
    name = getattr(source, "name", None)
    if isinstance(name, str) and name:
        return name
    kind = source if isinstance(source, type) else type(source)
    return snake_case(kind.__name__, "Step")


def _shown(source: object) -> str:
    return str(getattr(source, "__qualname__", None) or repr(source))
