"""The steps that are written in the body of a class: methods, inner classes and objects, in the order of the text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, TypeGuard

from workflows_core.authoring.functions import declaration_of
from workflows_core.authoring.groups import StepGroup
from workflows_core.authoring.step import StepAttributes

__all__ = ["has_methods", "initial_of", "members_of"]


def members_of(cls: type) -> list[Any]:
    """The steps of a class and its bases, as they were written; those that are inside a group are left to the group.

    What has a name with an underscore before it is no step. A subclass replaces a step by defining its name again, and removes it
    by setting it to None.
    """
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        found.update(vars(base))
    written = [value for attribute, value in found.items() if not attribute.startswith("_") and _is_step(value)]
    inside = {id(member) for value in written if isinstance(value, StepGroup) for member in _contained(value)}
    return [value for value in written if id(value) not in inside]


def initial_of(steps: list[Any]) -> list[Any]:
    """The steps that were decorated with ``initial=True``."""
    return [step for step in steps if (declaration := declaration_of(step)) is not None and declaration.initial]


def has_methods(steps: list[Any]) -> bool:
    """Whether there are decorated functions among the steps, inside groups too, so that an object is needed to bind them."""
    return any(
        declaration_of(step) is not None or (isinstance(step, StepGroup) and has_methods(list(_contained(step))))
        for step in steps
    )


def _contained(group: StepGroup) -> Iterator[Any]:
    for member in group.members:
        yield member
        if isinstance(member, StepGroup):
            yield from _contained(member)


class _Executable(Protocol):
    def execute(self, *arguments: Any) -> Any: ...


def _is_step(value: Any) -> TypeGuard[_Executable]:
    if declaration_of(value) is not None or isinstance(value, StepAttributes):
        return True
    kind = value if isinstance(value, type) else type(value)
    return callable(getattr(kind, "execute", None)) and isinstance(getattr(value, "name", ""), str)
