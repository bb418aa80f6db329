"""Faults of injectors."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from workflows_core import FactoryInjector, Injected, WorkflowContext
from workflows_core.errors import NotProvidedError
from workflows_core.ports.clock import Clock
from workflows_core.ports.injection import Provide
from workflows_testing.conformance.injectors import (
    InjectionLog,
    Resource,
    StepInjectorConformance,
    Unclosable,
    Unmakeable,
    User,
    marked_with,
)
from workflows_testing.faulty.fault import Fault

__all__ = ["FAULTS", "factories"]


def factories(log: InjectionLog) -> dict[Any, Callable[..., Any]]:
    """Factories of what the rules want."""

    def resource(context: WorkflowContext) -> Iterator[Resource]:
        made = Resource(context)
        log.opened.append(made)
        error: BaseException | None = None
        try:
            yield made
        except BaseException as raised:
            error = raised
            raise
        finally:
            log.closed.append((made, error))

    def unmakeable() -> Unmakeable:
        msg = "cannot be made"
        raise OSError(msg)

    def unclosable() -> Iterator[Unclosable]:
        yield Unclosable()
        msg = "cannot be closed"
        raise OSError(msg)

    return {Resource: resource, User: User, Unmakeable: unmakeable, Unclosable: unclosable}


class ForgetfulInjector(FactoryInjector):
    """Knows no types."""

    def provides(self, annotation: Any) -> bool:
        with contextlib.suppress(NotProvidedError):
            super().provides(annotation)
        return False


class GreedyInjector(FactoryInjector):
    """Takes all that is asked for."""

    def provides(self, annotation: Any) -> bool:
        return True


class EagerInjector(FactoryInjector):
    """Makes resources before they are wanted."""

    @asynccontextmanager
    async def open(self, given: Mapping[Any, Any]) -> AsyncIterator[Provide]:
        async with super().open(given) as provide:
            await provide(Injected[Resource])
            yield provide


class WastefulInjector(FactoryInjector):
    """Makes a value each time."""

    @asynccontextmanager
    async def open(self, given: Mapping[Any, Any]) -> AsyncIterator[Provide]:
        async with contextlib.AsyncExitStack() as stack:

            async def provide(annotation: Any) -> Any:
                return await (await stack.enter_async_context(super(WastefulInjector, self).open(given)))(annotation)

            yield provide


class SharingInjector(FactoryInjector):
    """Keeps what it made for the next scope, and never closes it."""

    def __init__(self, factories: Mapping[Any, Callable[..., Any]]) -> None:
        super().__init__(factories)
        self._stack = contextlib.AsyncExitStack()
        self._provide: Provide | None = None

    @asynccontextmanager
    async def open(self, given: Mapping[Any, Any]) -> AsyncIterator[Provide]:
        if self._provide is None:
            self._provide = await self._stack.enter_async_context(super().open(given))
        yield self._provide


class SilentInjector(FactoryInjector):
    """Says nothing of errors when it closes."""

    @asynccontextmanager
    async def open(self, given: Mapping[Any, Any]) -> AsyncIterator[Provide]:
        scope = super().open(given)
        try:
            yield await scope.__aenter__()
        finally:
            await scope.__aexit__(None, None, None)


class SwallowingInjector(FactoryInjector):
    """Keeps errors to itself."""

    @asynccontextmanager
    async def open(self, given: Mapping[Any, Any]) -> AsyncIterator[Provide]:
        with contextlib.suppress(Exception):
            async with super().open(given) as provide:

                async def make(annotation: Any) -> Any:
                    with contextlib.suppress(OSError):
                        return await provide(annotation)

                yield make


def _injector(make: Callable[[Any], FactoryInjector], _clock: Clock) -> Mapping[str, Any]:
    log = InjectionLog()
    return {"log": log, "injector": make(factories(log)), "mark": partial(marked_with, Injected)}


def _fault(make: Callable[[Any], FactoryInjector], name: str) -> Fault:
    return Fault(name, (StepInjectorConformance,), lambda clock: _injector(make, clock), crashes=True)


FAULTS: Final[tuple[Fault, ...]] = (
    _fault(ForgetfulInjector, "knows no types"),
    _fault(GreedyInjector, "takes all that is asked for"),
    _fault(EagerInjector, "makes resources before they are wanted"),
    _fault(WastefulInjector, "makes a value each time"),
    _fault(SharingInjector, "keeps what it made for the next scope"),
    _fault(SilentInjector, "says nothing of errors when it closes"),
    _fault(SwallowingInjector, "keeps errors to itself"),
)
