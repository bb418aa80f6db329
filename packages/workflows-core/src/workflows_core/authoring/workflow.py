"""Workflows as classes: steps in the body, edges beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, cast, get_args

from workflows_core.authoring.definition import WorkflowDefinition
from workflows_core.authoring.edge import AnyEdge, End
from workflows_core.authoring.functions import first_line
from workflows_core.authoring.members import has_methods, initial_of, members_of
from workflows_core.authoring.naming import snake_case
from workflows_core.domain.problems import Problem
from workflows_core.domain.throttles import ConcurrencyLimit
from workflows_core.errors import InvalidDefinitionError

__all__ = ["DefinesWorkflow", "Workflow", "build_definition", "definition_of"]

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    StateT = TypeVar("StateT", default=Any)
else:
    from typing import TypeVar

    StateT = TypeVar("StateT")

_CACHE = "__workflow_definition__"


class DefinesWorkflow(Protocol):
    """A class that describes a workflow: a subclass of `Workflow`, or a class with ``@workflow``."""

    @classmethod
    def get_definition(cls) -> WorkflowDefinition:
        """The compiled workflow."""
        ...


class Workflow(Generic[StateT]):
    """Base of workflows that are written as classes.

    The steps are what stands in the body: inner step classes, step objects, groups, and methods with ``@step`` or
    ``@human_task``; or those that ``__steps__`` lists. Give the type of the state as parameter, ``Workflow[ExpenseState]``, or
    as ``__state__``, to have a typed ``context.state``.
    """

    __workflow_name__: ClassVar[str]
    """Name of the workflow; by default that of the class in snake_case, without ``Workflow``."""
    __workflow_version__: ClassVar[str] = "1.0.0"
    """Its version, ordered as PEP 440 orders versions."""
    __description__: ClassVar[str]
    """For people; by default the first line of the docstring."""
    __steps__: ClassVar[Mapping[str, Any] | Sequence[Any]]
    """The steps, if they do not stand in the body."""
    __edges__: ClassVar[Iterable[AnyEdge]]
    """`Edge` objects, or tuples of source, target and, where there is one, condition."""
    __initial__: ClassVar[End]
    """The first step; by default the one with ``initial=True``, else the first in the body."""
    __terminal__: ClassVar[Iterable[End]]
    """Steps at which a token ends; those that nothing follows need not be listed."""
    __reducers__: ClassVar[Mapping[str, str]]
    """Name of the reducer by data key."""
    __state__: ClassVar[type]
    """Type of the state."""
    __input_schema__: ClassVar[Mapping[str, Any] | type]
    """JSON Schema of the initial data, or a type."""
    __deadline__: ClassVar[timedelta]
    """Time after its start at which an instance fails if it is not over."""
    __queue__: ClassVar[str]
    """Queue of the steps that name none, and of the work that belongs to no step."""
    __concurrency__: ClassVar[ConcurrencyLimit | int]
    """How many instances may be under way at once; others are ``pending``. A number is a limit without a key."""
    __priority__: ClassVar[int] = 0
    """Of the instances' work among what is due, higher is taken first, unless a start or a step says otherwise."""

    @classmethod
    def get_definition(cls) -> WorkflowDefinition:
        """The compiled workflow; compiled once for each class.

        Raises:
            InvalidDefinitionError: It cannot run as it is; lists everything that is wrong with it.
        """
        return build_definition(cls)


def definition_of(workflow: WorkflowDefinition | type[Any]) -> WorkflowDefinition:
    """The definition that is meant by a definition, a subclass of `Workflow` or a class with ``@workflow``.

    Raises:
        TypeError: It is none of these.
        InvalidDefinitionError: The class describes a workflow that cannot run.
    """
    if isinstance(workflow, WorkflowDefinition):
        return workflow
    if callable(getattr(workflow, "get_definition", None)):
        return cast("type[DefinesWorkflow]", workflow).get_definition()
    msg = f"{workflow!r} is no workflow; give a WorkflowDefinition, a subclass of Workflow or a class with @workflow"
    raise TypeError(msg)


def build_definition(cls: type) -> WorkflowDefinition:
    """Compile what a class describes, once.

    Raises:
        InvalidDefinitionError: It cannot run as it is; lists everything that is wrong with it.
    """
    known = cls.__dict__.get(_CACHE)
    if isinstance(known, WorkflowDefinition):
        return known
    name = _said(cls, "__workflow_name__", snake_case(cls.__name__, "Workflow"))
    steps = _said(cls, "__steps__", None)
    if steps is None:
        steps = members_of(cls)
    written = list(steps.values()) if isinstance(steps, Mapping) else list(steps)
    definition = WorkflowDefinition(
        name,
        _said(cls, "__workflow_version__", "1.0.0"),
        _said(cls, "__description__", first_line(cls)),
        steps,
        _edges(cls),
        _initial(cls, name, written),
        _said(cls, "__terminal__", ()),
        reducers=_said(cls, "__reducers__", None),
        state=_said(cls, "__state__", _state_parameter(cls)),
        input_schema=_said(cls, "__input_schema__", None),
        deadline=_said(cls, "__deadline__", None),
        queue=_said(cls, "__queue__", None),
        priority=_said(cls, "__priority__", 0),
        concurrency=_said(cls, "__concurrency__", None),
        owner=_owner(cls, name) if has_methods(written) else None,
    )
    setattr(cls, _CACHE, definition)
    return definition


def _said(cls: type, attribute: str, default: Any) -> Any:
    value = getattr(cls, attribute, None)
    return default if value is None else value


def _edges(cls: type) -> Any:
    """The edges beside the steps: ``__edges__``, or ``edges`` unless that is something that can be called."""
    plain = _said(cls, "edges", ())
    return _said(cls, "__edges__", () if callable(plain) else plain)


def _initial(cls: type, name: str, steps: list[Any]) -> Any:
    chosen = _said(cls, "__initial__", _said(cls, "initial_step", None))
    if chosen is not None:
        return chosen
    marked = initial_of(steps)
    if len(marked) > 1:
        names = ", ".join(step.__qualname__ for step in marked)
        mend = "keep one; a workflow may split after its first step"
        problem = Problem("several_initial", f"workflow {name!r}", f"{names} are all marked as initial", mend)
        raise InvalidDefinitionError(name, [problem])
    return marked[0] if marked else None


def _owner(cls: type, name: str) -> object:
    """The object to which methods are bound; all instances of the workflow share it, so it should hold no state of theirs."""
    try:
        return cls()
    except TypeError as error:
        mend = "give its constructor no required arguments"
        problem = Problem("not_constructible", f"workflow {name!r}", f"{cls.__qualname__}() fails: {error}", mend)
        raise InvalidDefinitionError(name, [problem]) from error


def _is_state(argument: Any) -> bool:
    return isinstance(argument, type) and argument is not Any


def _state_parameter(cls: type) -> type | None:
    """The argument of ``Workflow[…]`` in the bases of a class."""
    for base in cls.__mro__:
        for written in vars(base).get("__orig_bases__", ()):
            arguments = get_args(written)
            origin = getattr(written, "__origin__", None)
            if isinstance(origin, type) and issubclass(origin, Workflow) and _is_state(arguments[0]):
                return cast("type", arguments[0])
    return None
