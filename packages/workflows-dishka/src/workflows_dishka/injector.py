"""The dependencies of steps from a dishka container."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from dishka import DEFAULT_COMPONENT, AsyncContainer, DependencyKey, Scope
from dishka.entities.key import hint_to_dependency_key
from dishka.entities.scope import BaseScope
from dishka.registry import Registry

from workflows_core.authoring.parameters import is_injected, type_name, unmarked
from workflows_core.errors import NotProvidedError
from workflows_core.ports.injection import Provide, StepInjector

__all__ = ["DishkaInjector"]


class DishkaInjector(StepInjector):
    """Provides the parameters that are marked with ``FromDishka`` (or `Injected`) out of a container.

    Each attempt has a scope of the container of its own, in which its `WorkflowContext` is context data: a provider says
    ``from_context(WorkflowContext, scope=Scope.REQUEST)``, as `WorkflowsProvider` does. A provider that is a generator gets the error
    of the attempt as the value of its ``yield``.
    """

    def __init__(self, container: AsyncContainer, *, scope: BaseScope = Scope.REQUEST) -> None:
        """Take the container.

        Args:
            container: That of the process; it is not closed.
            scope: That of an attempt.
        """
        self._container = container
        self._scope = scope

    def provides(self, annotation: Any) -> bool:
        """Whether it is marked with ``FromDishka`` or `Injected`; see the port."""
        key = _key_of(annotation)
        if key is None:
            return False
        scopes = {registry.scope: registry.get_factory(key) is not None for registry in self._registries()}
        for scope, is_known in scopes.items():
            if is_known:
                return True
            if scope is self._scope:
                break
        raise NotProvidedError(type_name(annotation), self._mend(scopes))

    @asynccontextmanager
    async def open(self, given: Mapping[Any, Any]) -> AsyncIterator[Provide]:
        """Begin a scope; see the port."""
        async with self._container(context=dict(given), scope=self._scope) as scope:

            async def provide(annotation: Any) -> Any:
                key = _key_of(annotation)
                assert key is not None, "it was asked whether it provides this"
                return await scope.get(key.type_hint, component=key.component)

            yield provide

    def _registries(self) -> Iterator[Registry]:
        """What is known in each scope, the widest first."""
        root = self._container
        while root.parent_container is not None:
            root = root.parent_container
        registry: Registry | None = root.registry
        while registry is not None:
            yield registry
            registry = registry.child_registry

    def _mend(self, scopes: Mapping[BaseScope, bool]) -> str:
        narrower = [scope.name for scope, is_known in scopes.items() if is_known]
        if narrower:
            return f"the container has it in scope {narrower[0]}, but steps have scope {self._scope.name}: widen the one, or narrow the other"
        return f"add a provider of it to the container, of scope {self._scope.name} or a wider one"


def _key_of(annotation: Any) -> DependencyKey | None:
    """What a container knows a dependency by; None if the annotation is not marked."""
    if is_injected(annotation):
        return DependencyKey(unmarked(annotation), DEFAULT_COMPONENT)
    key = hint_to_dependency_key(annotation)
    return None if key.component is None else key
