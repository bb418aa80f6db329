"""Rules for every `StepInjector`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec
import pytest

from workflows_core import WorkflowContext
from workflows_core.errors import NotProvidedError
from workflows_core.ports.injection import StepInjector

__all__ = [
    "InjectionLog",
    "Resource",
    "StepInjectorConformance",
    "Unclosable",
    "Unknown",
    "Unmakeable",
    "User",
    "marked_with",
]


@dataclass
class InjectionLog:
    """What happened to values that an injector made.

    Attributes:
        opened: The resources, in the order in which they were made.
        closed: Those that were closed, each with the error that the closing was told of.
    """

    opened: list[Resource] = field(default_factory=list)
    closed: list[tuple[Resource, BaseException | None]] = field(default_factory=list)


@dataclass(eq=False)
class Resource:
    """Made for each scope of the context of that scope; noted in the log when it is made and when it is closed."""

    context: WorkflowContext


@dataclass(eq=False)
class User:
    """Made for each scope, of the resource of that scope."""

    resource: Resource


class Unmakeable:
    """Raises ``OSError("cannot be made")`` when it is made."""


class Unclosable:
    """Raises ``OSError("cannot be closed")`` when it is closed."""


class Unknown:
    """A type that the injector does not know."""


class StepInjectorConformance:
    """The suite; override the fixtures ``injector`` and ``mark``.

    The injector makes `Resource`, `User`, `Unmakeable` and `Unclosable`, as they say.

    Attributes:
        adapter: The class under test.
    """

    adapter: type

    @pytest.fixture
    def log(self) -> InjectionLog:
        """Where the injector's resources note what happens to them."""
        return InjectionLog()

    @pytest.fixture
    def injector(self, log: InjectionLog) -> StepInjector:
        """The injector under test."""
        msg = f"{type(self).__name__} must override the fixture `injector`"
        raise TypeError(msg)

    @pytest.fixture
    def mark(self) -> Callable[[Any], Any]:
        """Marks a type for the injector."""
        msg = f"{type(self).__name__} must override the fixture `mark`"
        raise TypeError(msg)

    def test_what_is_marked_and_known_is_provided(self, injector: StepInjector, mark: Callable[[Any], Any]) -> None:
        assert [injector.provides(mark(wanted)) for wanted in (Resource, User)] == [True, True]

    def test_what_is_not_marked_is_left_alone(self, injector: StepInjector) -> None:
        others = (Resource, Unknown, int, Any, Annotated[int, msgspec.Meta(gt=0)], Annotated[Resource, "a resource"])
        assert [injector.provides(other) for other in others] == [False] * len(others)

    def test_what_is_marked_and_unknown_is_refused_with_its_name(
        self, injector: StepInjector, mark: Callable[[Any], Any]
    ) -> None:
        with pytest.raises(NotProvidedError) as refused:
            injector.provides(mark(Unknown))
        assert "Unknown" in refused.value.wanted
        assert refused.value.mend

    async def test_nothing_is_made_before_it_is_wanted(
        self, injector: StepInjector, mark: Callable[[Any], Any], log: InjectionLog
    ) -> None:
        injector.provides(mark(Resource))
        async with injector.open(_given()):
            pass
        assert (log.opened, log.closed) == ([], [])

    async def test_a_scope_has_one_value_of_a_type(self, injector: StepInjector, mark: Callable[[Any], Any]) -> None:
        async with injector.open(_given()) as provide:
            first, second, user = [await provide(mark(wanted)) for wanted in (Resource, Resource, User)]
        assert isinstance(first, Resource)
        assert first is second
        assert first is user.resource

    async def test_each_scope_has_a_value_of_its_own(self, injector: StepInjector, mark: Callable[[Any], Any]) -> None:
        async with injector.open(_given()) as provide, injector.open(_given()) as provide_other:
            assert await provide(mark(Resource)) is not await provide_other(mark(Resource))

    async def test_a_value_is_made_of_the_context_of_its_scope(
        self, injector: StepInjector, mark: Callable[[Any], Any]
    ) -> None:
        given, others = _given(), _given()
        async with injector.open(given) as provide, injector.open(others) as provide_other:
            resource, other = await provide(mark(Resource)), await provide_other(mark(Resource))
        assert resource.context is given[WorkflowContext]
        assert other.context is others[WorkflowContext]

    async def test_what_a_scope_made_is_closed_once_when_it_ends(
        self, injector: StepInjector, mark: Callable[[Any], Any], log: InjectionLog
    ) -> None:
        async with injector.open(_given()) as provide:
            resource = await provide(mark(Resource))
            await provide(mark(User))
            assert log.closed == []
        assert log.closed == [(resource, None)]

    async def test_an_error_reaches_what_is_closed_and_goes_on(
        self, injector: StepInjector, mark: Callable[[Any], Any], log: InjectionLog
    ) -> None:
        raised = ValueError("the step failed")
        caught: ValueError | None = None
        try:
            async with injector.open(_given()) as provide:
                await provide(mark(Resource))
                raise raised
        except ValueError as error:
            caught = error
        assert caught is raised
        assert log.closed == [(log.opened[0], raised)]

    async def test_an_error_while_a_value_is_made_comes_out_and_the_others_are_closed(
        self, injector: StepInjector, mark: Callable[[Any], Any], log: InjectionLog
    ) -> None:
        async with injector.open(_given()) as provide:
            await provide(mark(Resource))
            with pytest.raises(OSError, match="cannot be made"):
                await provide(mark(Unmakeable))
        assert len(log.closed) == 1

    async def test_an_error_while_a_value_is_closed_comes_out_and_the_others_are_closed(
        self, injector: StepInjector, mark: Callable[[Any], Any], log: InjectionLog
    ) -> None:
        raised: Exception | None = None
        try:
            async with injector.open(_given()) as provide:
                await provide(mark(Resource))
                await provide(mark(Unclosable))
        except Exception as error:  # noqa: BLE001 - it may be wrapped
            raised = error
        assert raised is not None, "nobody was told that something could not be closed"
        assert len(log.closed) == 1


def marked_with(alias: Any, wanted: Any) -> Any:
    """The annotation ``alias[wanted]``, for types that are known at run time only."""
    return alias[wanted]


def _given() -> dict[Any, WorkflowContext]:
    return {WorkflowContext: WorkflowContext.for_testing()}
