"""Injectors pass their conformance kit."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import Any

import pytest
from dishka import FromDishka, Provider, Scope, make_async_container, provide

from workflows_core import FactoryInjector, Injected, WorkflowContext
from workflows_dishka import DishkaInjector
from workflows_testing.conformance import StepInjectorConformance
from workflows_testing.conformance.injectors import InjectionLog, Resource, Unclosable, Unmakeable, User, marked_with
from workflows_testing.faulty.injectors import factories


class TestFactoryInjector(StepInjectorConformance):
    adapter = FactoryInjector

    @pytest.fixture
    def injector(self, log: InjectionLog) -> FactoryInjector:
        return FactoryInjector(factories(log))

    @pytest.fixture
    def mark(self) -> Callable[[Any], Any]:
        return partial(marked_with, Injected)


class ResourceProvider(Provider):
    scope = Scope.REQUEST
    user = provide(User)

    def __init__(self, log: InjectionLog, scope: Scope) -> None:
        super().__init__(scope=scope)
        self.from_context(WorkflowContext, scope=scope)
        self._log = log

    @provide
    def resource(self, context: WorkflowContext) -> Generator[Resource, BaseException | None]:
        made = Resource(context)
        self._log.opened.append(made)
        error = yield made
        self._log.closed.append((made, error))

    @provide
    def unmakeable(self) -> Unmakeable:
        msg = "cannot be made"
        raise OSError(msg)

    @provide
    def unclosable(self) -> Generator[Unclosable]:
        yield Unclosable()
        msg = "cannot be closed"
        raise OSError(msg)


class TestDishkaInjector(StepInjectorConformance):
    adapter = DishkaInjector

    @pytest.fixture(params=[Scope.REQUEST, Scope.STEP], ids=lambda scope: scope.name)
    def injector(self, request: pytest.FixtureRequest, log: InjectionLog) -> DishkaInjector:
        return DishkaInjector(make_async_container(ResourceProvider(log, request.param)), scope=request.param)

    @pytest.fixture(params=[FromDishka, Injected], ids=["FromDishka", "Injected"])
    def mark(self, request: pytest.FixtureRequest) -> Callable[[Any], Any]:
        return partial(marked_with, request.param)
