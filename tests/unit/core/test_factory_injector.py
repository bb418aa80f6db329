"""What factories may be, and what is said of those that cannot work."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

import pytest

from workflows_core import FactoryInjector, Injected, NotProvidedError, WorkflowContext


class Name(str):
    __slots__ = ()


class Greeting:
    def __init__(self, name: Name, mark: str = "!") -> None:
        self.text = f"Hello {name}{mark}"


class Loud:
    def __init__(self, greeting: Injected[Greeting]) -> None:
        self.text = greeting.text.upper()


class Chicken:
    def __init__(self, egg: Egg) -> None: ...


class Egg:
    def __init__(self, chicken: Chicken) -> None: ...


def plain() -> Name:
    return Name("Ada")


async def coroutine() -> Name:
    return Name("Ada")


def generator() -> Iterator[Name]:
    yield Name("Ada")


async def asynchronous_generator() -> AsyncIterator[Name]:
    yield Name("Ada")


class Maker:
    def __call__(self) -> Name:
        return Name("Ada")


async def made(injector: FactoryInjector, wanted: Any) -> Any:
    async with injector.open({WorkflowContext: WorkflowContext.for_testing({"name": "Ada"})}) as provide:
        return await provide(wanted)


@pytest.mark.parametrize(
    "factory", [plain, coroutine, generator, asynchronous_generator, Maker(), partial(Name, "Ada"), lambda: Name("Ada")]
)
async def test_a_factory_is_any_function(factory: Callable[..., Any]) -> None:
    injector = FactoryInjector({Name: factory, Greeting: Greeting, Loud: Loud})
    assert (await made(injector, Injected[Loud])).text == "HELLO ADA!"


async def test_a_factory_may_want_the_context() -> None:
    def named(context: WorkflowContext) -> Name:
        return Name(context.get("name"))

    assert await made(FactoryInjector({Name: named}), Injected[Name]) == "Ada"


async def test_a_step_may_want_the_context_once_more() -> None:
    injector = FactoryInjector({})
    assert injector.provides(Injected[WorkflowContext])
    assert isinstance(await made(injector, Injected[WorkflowContext]), WorkflowContext)


async def test_the_last_made_is_closed_first() -> None:
    closed: list[str] = []

    def first() -> Iterator[Name]:
        yield Name("first")
        closed.append("first")

    async def second(name: Name) -> AsyncIterator[Greeting]:
        yield Greeting(name)
        closed.append("second")

    await made(FactoryInjector({Name: first, Greeting: second}), Injected[Greeting])
    assert closed == ["second", "first"]


def test_a_factory_that_wants_what_no_other_makes_is_refused() -> None:
    with pytest.raises(NotProvidedError, match="nothing provides Name; the factory of Greeting wants it"):
        FactoryInjector({Greeting: Greeting})


def test_factories_that_want_each_other_are_refused() -> None:
    with pytest.raises(NotProvidedError, match=r"want each other: (Egg → Chicken → Egg|Chicken → Egg → Chicken)"):
        FactoryInjector({Chicken: Chicken, Egg: Egg})


def test_a_factory_whose_annotations_cannot_be_read_is_refused() -> None:
    def unreadable(name: Absent) -> Name:  # type: ignore[name-defined]  # noqa: F821
        return Name(name)

    with pytest.raises(NotProvidedError, match="annotation of 'name' of its factory cannot be evaluated: NameError"):
        FactoryInjector({Name: unreadable})
