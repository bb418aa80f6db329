"""Workflows as plain classes whose methods are steps: ``@workflow``, ``@step``, ``@human_task``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, Unpack, overload

from workflows_core.authoring.definition import WorkflowDefinition
from workflows_core.authoring.functions import StepDeclaration, declare
from workflows_core.authoring.naming import snake_case
from workflows_core.authoring.options import HumanTaskOptions, MachineStepOptions, WorkflowOptions, refuse_unknown
from workflows_core.authoring.workflow import build_definition

__all__ = ["human_task", "step", "workflow"]

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type[Any])


@overload
def workflow(cls: C, /) -> C: ...


@overload
def workflow(**options: Unpack[WorkflowOptions]) -> Callable[[C], C]: ...


def workflow(cls: C | None = None, /, **options: Unpack[WorkflowOptions]) -> C | Callable[[C], C]:
    """Make a class describe a workflow; the class stays what it is and gets a class method ``get_definition()``.

    Its steps are its methods with ``@step`` or ``@human_task``, and the step classes, step objects and groups in its body. The
    class is instantiated once, without arguments, and its methods are called on that object by every instance of the workflow.

    Args:
        cls: The class, where the decorator is used without parentheses.
        **options: See `WorkflowOptions`.
    """
    refuse_unknown("workflow", options, WorkflowOptions)

    def decorate(decorated: C) -> C:
        said: dict[str, Any] = {
            "__workflow_name__": options.get("name") or snake_case(decorated.__name__, "Workflow"),
            "__workflow_version__": options.get("version", "1.0.0"),
            "__description__": options.get("description"),
            "__edges__": options.get("edges"),
            "__initial__": options.get("initial"),
            "__reducers__": options.get("reducers"),
            "__state__": options.get("state"),
            "__input_schema__": options.get("input_schema"),
            "__deadline__": options.get("deadline"),
            "__queue__": options.get("queue"),
            "__priority__": options.get("priority"),
            "__concurrency__": options.get("concurrency"),
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
def step(**options: Unpack[MachineStepOptions]) -> Callable[[F], F]: ...


def step(function: F | None = None, /, **options: Unpack[MachineStepOptions]) -> F | Callable[[F], F]:
    """Make a method of a workflow class, or a function of the context, a machine step; the function itself stays as it is.

    A step without edges of its own is followed by the step that it returns the name of, or by several if it returns a list. The
    names are read from ``next``, from a ``Literal`` return annotation, or from the string constants of its return statements.

    Args:
        function: The function, where the decorator is used without parentheses.
        **options: See `MachineStepOptions`.
    """
    refuse_unknown("step", options, MachineStepOptions)

    def decorate(decorated: F) -> F:
        return _declare(decorated, dict(options), human=False)

    return decorate if function is None else decorate(function)


@overload
def human_task(function: F, /) -> F: ...


@overload
def human_task(**options: Unpack[HumanTaskOptions]) -> Callable[[F], F]: ...


def human_task(function: F | None = None, /, **options: Unpack[HumanTaskOptions]) -> F | Callable[[F], F]:
    """Make a method of a workflow class, or a function of the context, a human step.

    The function is called after the completion, with the form in the data; what it returns names the successor, as with `step`.
    With an empty body (a docstring, ``...`` or ``pass``) nothing is called, and the result of the step is the form.

    Args:
        function: The function, where the decorator is used without parentheses.
        **options: See `HumanTaskOptions`.
    """
    refuse_unknown("human_task", options, HumanTaskOptions)

    def decorate(decorated: F) -> F:
        return _declare(decorated, dict(options), human=True)

    return decorate if function is None else decorate(function)


def _declare(function: F, options: dict[str, Any], *, human: bool) -> F:
    name, initial = options.pop("name", None), options.pop("initial", False)
    compensation = options.pop("compensation", None)
    declare(
        function,
        StepDeclaration(
            name=name or function.__name__,
            human=human,
            initial=initial,
            compensation=compensation,
            options={key: value for key, value in options.items() if value is not None},
        ),
    )
    return function
