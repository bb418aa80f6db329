"""Workflows as plain classes whose methods are steps: ``@workflow``, ``@step``, ``@human_task``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar, overload

from workflows_core.authoring.definition import WorkflowDefinition
from workflows_core.authoring.edge import AnyEdge, End
from workflows_core.authoring.functions import StepDeclaration, declare
from workflows_core.authoring.naming import snake_case
from workflows_core.authoring.workflow import build_definition

__all__ = ["human_task", "step", "workflow"]

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type[Any])


@overload
def workflow(cls: C, /) -> C: ...


@overload
def workflow(
    *,
    name: str | None = None,
    version: str = "1.0.0",
    description: str | None = None,
    edges: Iterable[AnyEdge] | None = None,
    initial: End | None = None,
    reducers: Mapping[str, str] | None = None,
    state: type | None = None,
    input_schema: Mapping[str, Any] | type | None = None,
) -> Callable[[C], C]: ...


def workflow(
    cls: C | None = None,
    /,
    *,
    name: str | None = None,
    version: str = "1.0.0",
    description: str | None = None,
    edges: Iterable[AnyEdge] | None = None,
    initial: End | None = None,
    reducers: Mapping[str, str] | None = None,
    state: type | None = None,
    input_schema: Mapping[str, Any] | type | None = None,
) -> C | Callable[[C], C]:
    """Make a class describe a workflow; the class stays what it is and gets a class method ``get_definition()``.

    Its steps are its methods with ``@step`` or ``@human_task``, and the step classes, step objects and groups in its body. The
    class is instantiated once, without arguments, and its methods are called on that object by every instance of the workflow.

    Args:
        cls: The class, where the decorator is used without parentheses.
        name: Name of the workflow; by default that of the class in snake_case, without ``Workflow``.
        version: Its version, ordered as PEP 440 orders versions.
        description: For people; by default the first line of the docstring.
        edges: Edges, if steps do not name their successors; may also be the class attribute ``edges``.
        initial: First step; by default the one with ``initial=True``, else the first in the body.
        reducers: Name of the reducer by data key.
        state: Type of ``context.state``.
        input_schema: JSON Schema of the initial data, or a type.
    """

    def decorate(decorated: C) -> C:
        said: dict[str, Any] = {
            "__workflow_name__": name or snake_case(decorated.__name__, "Workflow"),
            "__workflow_version__": version,
            "__description__": description,
            "__edges__": edges,
            "__initial__": initial,
            "__reducers__": reducers,
            "__state__": state,
            "__input_schema__": input_schema,
            "get_definition": classmethod(_get_definition),
        }
        for attribute, value in said.items():
            if value is not None:
                setattr(decorated, attribute, value)
        return decorated

    return decorate if cls is None else decorate(cls)


def _get_definition(cls: type) -> WorkflowDefinition:
    """The compiled workflow; compiled once for each class.

    Raises:
        InvalidDefinitionError: It cannot run as it is; lists everything that is wrong with it.
    """
    return build_definition(cls)


@overload
def step(function: F, /) -> F: ...


@overload
def step(
    *,
    name: str | None = None,
    description: str | None = None,
    initial: bool = False,
    terminal: bool | str = False,
    next: End | Sequence[End] | None = None,
    join: str | int | None = None,
    queue: str | None = None,
    transactional: bool = False,
) -> Callable[[F], F]: ...


def step(
    function: F | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    initial: bool = False,
    terminal: bool | str = False,
    next: End | Sequence[End] | None = None,  # noqa: A002 - the name of the attribute
    join: str | int | None = None,
    queue: str | None = None,
    transactional: bool = False,
) -> F | Callable[[F], F]:
    """Make a method of a workflow class, or a function of the context, a machine step; the function itself stays as it is.

    A step without edges of its own is followed by the step that it returns the name of, or by several if it returns a list. The
    names are read from ``next``, from a ``Literal`` return annotation, or from the string constants of its return statements.

    Args:
        function: The function, where the decorator is used without parentheses.
        name: Name of the step; by default that of the function.
        description: For people; by default the first line of the docstring.
        initial: Whether the workflow begins with it.
        terminal: True ends the token here; ``"instance"`` ends the whole instance.
        next: Successors: one step simply follows; a collection are those that the result chooses from; ``()`` are none.
        join: What it does with several incoming edges; see `StepAttributes`.
        queue: Name of the queue whose workers run it.
        transactional: What it writes through ``context.session`` and its result are one transaction; see `BaseMachineStep`.
    """
    options = {
        "description": description,
        "terminal": terminal,
        "next": next,
        "join": join,
        "queue": queue,
        "transactional": transactional,
    }

    def decorate(decorated: F) -> F:
        declare(decorated, StepDeclaration(name=name or decorated.__name__, initial=initial, options=options))
        return decorated

    return decorate if function is None else decorate(function)


@overload
def human_task(function: F, /) -> F: ...


@overload
def human_task(
    *,
    title: str = "",
    name: str | None = None,
    description: str | None = None,
    form_schema: Mapping[str, Any] | type | None = None,
    assignee: str | None = None,
    candidate_users: Sequence[str] = (),
    candidate_groups: Sequence[str] = (),
    due: timedelta | None = None,
    reminder: timedelta | None = None,
    priority: int = 50,
    into: str | None = None,
    initial: bool = False,
    terminal: bool | str = False,
    next: End | Sequence[End] | None = None,
    join: str | int | None = None,
    queue: str | None = None,
) -> Callable[[F], F]: ...


def human_task(
    function: F | None = None,
    /,
    *,
    title: str = "",
    name: str | None = None,
    description: str | None = None,
    form_schema: Mapping[str, Any] | type | None = None,
    assignee: str | None = None,
    candidate_users: Sequence[str] = (),
    candidate_groups: Sequence[str] = (),
    due: timedelta | None = None,
    reminder: timedelta | None = None,
    priority: int = 50,
    into: str | None = None,
    initial: bool = False,
    terminal: bool | str = False,
    next: End | Sequence[End] | None = None,  # noqa: A002 - the name of the attribute
    join: str | int | None = None,
    queue: str | None = None,
) -> F | Callable[[F], F]:
    """Make a method of a workflow class, or a function of the context, a human step.

    The function is called after the completion, with the form in the data; what it returns names the successor, as with `step`.
    With an empty body (a docstring, ``...`` or ``pass``) nothing is called, and the result of the step is the form.

    Args:
        function: The function, where the decorator is used without parentheses.
        title: Template of the task's title; ``{amount}`` is replaced by the data of that name.
        name: Name of the step; by default that of the function.
        description: Template of the task's description.
        form_schema: JSON Schema of the form, or a msgspec Struct or dataclass; None accepts any object.
        assignee: Template of the id of the one who is to do it; None leaves it to the candidates.
        candidate_users: Ids of users who may do it.
        candidate_groups: Groups whose members may do it.
        due: When it is due, from its opening.
        reminder: When a reminder is due, from its opening.
        priority: 0 (least) to 100.
        into: Data key that receives the form; None merges the fields of the form into the data.
        initial: Whether the workflow begins with it.
        terminal: True ends the token here; ``"instance"`` ends the whole instance.
        next: Successors, as with `step`.
        join: What it does with several incoming edges; see `StepAttributes`.
        queue: Name of the queue whose workers run its function.
    """
    options = {
        "title": title,
        "description": description,
        "form_schema": form_schema,
        "assignee": assignee,
        "candidate_users": candidate_users,
        "candidate_groups": candidate_groups,
        "due": due,
        "reminder": reminder,
        "priority": priority,
        "into": into,
        "terminal": terminal,
        "next": next,
        "join": join,
        "queue": queue,
    }

    def decorate(decorated: F) -> F:
        declaration = StepDeclaration(name=name or decorated.__name__, human=True, initial=initial, options=options)
        declare(decorated, declaration)
        return decorated

    return decorate if function is None else decorate(function)
