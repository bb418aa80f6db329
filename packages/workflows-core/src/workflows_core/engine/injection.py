"""Gives the code of steps the dependencies that it wants, each attempt in a scope of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from types import TracebackType
from typing import Any, Final, NamedTuple, TypeAlias

from workflows_core.authoring.code import AuthorFunction
from workflows_core.authoring.context import WorkflowContext
from workflows_core.authoring.parameters import Parameter, further_parameters, is_marked, type_name
from workflows_core.authoring.surroundings import Dependencies
from workflows_core.domain.problems import Problem
from workflows_core.errors import InvalidDefinitionError, NotProvidedError
from workflows_core.ports.injection import Provide, StepInjector

__all__ = ["NOTHING_WANTED", "StepNeeds", "needs_of"]

_Identity: TypeAlias = tuple[int, int]

_NO_INJECTOR: Final = "give the engine an injector: injector=FactoryInjector({…}), or that of workflows-dishka"
_OTHER_INJECTOR: Final = "mark it for the injector that the engine has, or give it a default"


class _Wants(NamedTuple):
    """What one function wants. The function is kept, so that its identity stays its own."""

    written: AuthorFunction
    parameters: tuple[Parameter, ...]


class StepNeeds:
    """What the code of one step wants.

    Attributes:
        problems: What of that nothing provides.
    """

    __slots__ = ("_injector", "_wants", "_workflow", "problems")

    def __init__(
        self, workflow: str, wants: Iterable[_Wants], injector: StepInjector | None, problems: tuple[Problem, ...]
    ) -> None:
        self.problems = problems
        self._workflow = workflow
        self._wants = {_identity(each.written.function): each for each in wants}
        self._injector = injector

    def given_to(self, context: WorkflowContext) -> AbstractAsyncContextManager[object]:
        """A scope for the code that is called with a context."""
        return _Scope(self, context)

    def of(self, function: Callable[..., Any]) -> _Wants | None:
        """What a function wants; None if nothing."""
        return self._wants.get(_identity(function))

    def open(self, context: WorkflowContext) -> AbstractAsyncContextManager[Provide]:
        """A scope of the injector.

        Raises:
            InvalidDefinitionError: Nothing provides what the step wants.
        """
        if self._injector is None or self.problems:
            raise InvalidDefinitionError(self._workflow, self.problems)
        return self._injector.open({WorkflowContext: context})


NOTHING_WANTED: Final[AbstractAsyncContextManager[object]] = nullcontext()
"""The scope of a step whose code wants nothing."""


class _Scope(Dependencies):
    """The dependencies of one attempt. The injector's scope is opened when the first function that wants something is called."""

    def __init__(self, needs: StepNeeds, context: WorkflowContext) -> None:
        self._needs = needs
        self._context = context
        self._scope: AbstractAsyncContextManager[Provide] | None = None
        self._provide: Provide | None = None

    async def __aenter__(self) -> None:
        self._context.dependencies = self

    async def of(self, function: Callable[..., Any]) -> Mapping[str, Any]:
        wants = self._needs.of(function)
        if wants is None:
            return {}
        if self._provide is None:
            scope = self._needs.open(self._context)
            self._provide = await scope.__aenter__()
            self._scope = scope
        given: dict[str, Any] = {}
        for name, annotation, *_ in wants.parameters:
            try:
                given[name] = await self._provide(annotation)
            except Exception as error:
                error.add_note(f"while {type_name(annotation)} was made for parameter {name!r} of {wants.written.name}")
                raise
        return given

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._context.dependencies = None
        scope, self._scope, self._provide = self._scope, None, None
        if scope is None:
            return
        try:
            await scope.__aexit__(kind, error, traceback)
        except Exception as second:
            if error is None:
                raise
            if second is not error:
                error.add_note(f"closing its dependencies raised {type(second).__name__}: {second}")


def needs_of(
    workflow: str, where: str, written: Iterable[AuthorFunction], injector: StepInjector | None
) -> StepNeeds | None:
    """What functions of a step want; None if they want nothing.

    Args:
        workflow: Name of the workflow, for errors.
        where: The step, for errors.
        written: The functions.
        injector: Provides it; None if there is none.
    """
    wants: list[_Wants] = []
    problems: list[Problem] = []
    for each in written:
        provided: list[Parameter] = []
        for parameter in further_parameters(each.function, each.given):
            if is_marked(parameter.annotation):
                mend = _why_not(parameter, injector)
                if mend is None:
                    provided.append(parameter)
                elif parameter.is_required:
                    provided.append(parameter)
                    problems.append(_problem(where, each.name, parameter, mend))
        if provided:
            wants.append(_Wants(each, tuple(provided)))
    return StepNeeds(workflow, wants, injector, tuple(problems)) if wants else None


def _why_not(parameter: Parameter, injector: StepInjector | None) -> str | None:
    """How to mend that a marked parameter is not provided; None if it is."""
    if injector is None:
        return _NO_INJECTOR
    try:
        return None if injector.provides(parameter.annotation) else _OTHER_INJECTOR
    except NotProvidedError as error:
        return error.mend


def _problem(where: str, function: str, parameter: Parameter, mend: str) -> Problem:
    wanted = type_name(parameter.annotation)
    message = f"nothing provides parameter {parameter.name!r} of {function}, which wants {wanted}"
    return Problem("not_provided", where, message, mend)


def _identity(function: Callable[..., Any]) -> _Identity:
    """What a function is known by: a method is made anew each time, and other callables need not be hashable."""
    return id(getattr(function, "__self__", None)), id(getattr(function, "__func__", function))
