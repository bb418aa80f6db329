"""Dependencies of steps without a framework: a function for each type."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from graphlib import CycleError, TopologicalSorter
from types import TracebackType
from typing import Any, Final

from workflows_core.authoring.context import WorkflowContext
from workflows_core.authoring.parameters import further_parameters, is_injected, type_name, unmarked
from workflows_core.errors import NotProvidedError
from workflows_core.ports.injection import Provide, StepInjector

__all__ = ["FactoryInjector"]

_GIVEN: Final = frozenset({WorkflowContext})
"""What every scope has without a factory."""


class FactoryInjector(StepInjector):
    """Provides the parameters that are marked with `Injected`, each by the factory of its type: ``FactoryInjector({Ledger: make_ledger})``.

    A factory is a function, a coroutine function, or a generator function, asynchronous or not, that yields the value once. What
    stands after its ``yield`` runs at the end of the attempt; an error of the attempt is raised at the ``yield``, so that ``try`` and
    ``with`` work there as ever, and is the attempt's error whatever the generator does with it.

    The parameters of a factory are provided by their types: other types that have factories, and `WorkflowContext`. Each type has one
    value for each attempt. Factories run in the event loop, also those written with ``def``, so they must not block.
    """

    def __init__(self, factories: Mapping[Any, Callable[..., Any]]) -> None:
        """Take the factories.

        Args:
            factories: Factory by type; a class may be its own factory. For what lives longer than an attempt, a function that gives the same
                object each time.

        Raises:
            NotProvidedError: A factory wants what no other makes, or two want each other.
        """
        self._factories = {wanted: _Factory(wanted, factory) for wanted, factory in factories.items()}
        wants = {wanted: set(factory.parameters.values()) for wanted, factory in self._factories.items()}
        for wanted, others in wants.items():
            for other in others - wants.keys() - _GIVEN:
                raise NotProvidedError(
                    type_name(other), f"the factory of {type_name(wanted)} wants it: give it a factory too"
                )
        try:
            TopologicalSorter(wants).prepare()
        except CycleError as error:
            way = " → ".join(map(type_name, error.args[1]))
            raise NotProvidedError(type_name(error.args[1][0]), f"its factories want each other: {way}") from error

    def provides(self, annotation: Any) -> bool:
        """Whether it is marked with `Injected`; see the port."""
        if not is_injected(annotation):
            return False
        wanted = unmarked(annotation)
        if wanted not in self._factories and wanted not in _GIVEN:
            name = type_name(wanted)
            raise NotProvidedError(name, f"give it a factory: FactoryInjector({{{name}: …}})")
        return True

    @asynccontextmanager
    async def open(self, given: Mapping[Any, Any]) -> AsyncIterator[Provide]:
        """Begin a scope; see the port."""
        async with AsyncExitStack() as stack:
            scope = _Scope(self._factories, dict(given), stack)
            yield scope.provide


class _Factory:
    """A factory, with the types of what it wants by name of the parameter."""

    def __init__(self, wanted: Any, function: Callable[..., Any]) -> None:
        self.parameters: dict[str, Any] = {}
        for parameter in further_parameters(function, 0):
            if parameter.unreadable and parameter.is_required:
                what = f"the annotation of {parameter.name!r} of its factory cannot be evaluated"
                raise NotProvidedError(type_name(wanted), f"{what}: {parameter.unreadable}")
            if parameter.is_required or is_injected(parameter.annotation):
                self.parameters[parameter.name] = unmarked(parameter.annotation)
        self.make: Callable[..., Any] = function
        self.enter: Callable[..., AbstractAsyncContextManager[Any]] | None = None
        if inspect.isasyncgenfunction(function):
            self.enter = asynccontextmanager(function)
        elif inspect.isgeneratorfunction(function):
            self.enter = _awaited(function)


def _awaited(function: Callable[..., Any]) -> Callable[..., AbstractAsyncContextManager[Any]]:
    """A generator function as an asynchronous context manager."""

    @asynccontextmanager
    async def enter(**arguments: Any) -> AsyncIterator[Any]:
        with contextmanager(function)(**arguments) as value:
            yield value

    return enter


class _Scope:
    """What was made for one attempt, by type."""

    def __init__(self, factories: Mapping[Any, _Factory], made: dict[Any, Any], stack: AsyncExitStack) -> None:
        self._factories = factories
        self._made = made
        self._stack = stack

    async def provide(self, annotation: Any) -> Any:
        return await self._get(unmarked(annotation))

    async def _get(self, wanted: Any) -> Any:
        if wanted not in self._made:
            self._made[wanted] = await self._make(self._factories[wanted])
        return self._made[wanted]

    async def _make(self, factory: _Factory) -> Any:
        arguments = {name: await self._get(wanted) for name, wanted in factory.parameters.items()}
        if factory.enter is None:
            made = factory.make(**arguments)
            return await made if inspect.isawaitable(made) else made
        entered = factory.enter(**arguments)
        value = await entered.__aenter__()

        async def leave(
            kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
        ) -> None:
            await entered.__aexit__(kind, error, traceback)  # an error that the generator swallows goes on all the same

        self._stack.push_async_exit(leave)
        return value
