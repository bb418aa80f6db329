"""The engine and its ports as dishka dependencies."""

from __future__ import annotations

from collections.abc import AsyncIterator

from dishka import AsyncContainer, Provider, Scope, provide
from dishka.entities.scope import BaseScope

from workflows_core import (
    EngineSettings,
    EventBus,
    JsonCodec,
    NullExecutor,
    SafeExpressions,
    SystemClock,
    Uuid7Generator,
    WorkflowContext,
    WorkflowEngine,
    WorkflowRegistry,
)
from workflows_core.ports.clock import Clock
from workflows_core.ports.codec import PayloadCodec
from workflows_core.ports.conditions import ConditionEvaluator
from workflows_core.ports.events import EventPublisher
from workflows_core.ports.executor import StepExecutor
from workflows_core.ports.ids import IdGenerator
from workflows_core.ports.injection import StepInjector
from workflows_core.ports.queries import WorkflowQueries
from workflows_core.ports.store import WorkflowStore
from workflows_dishka.injector import DishkaInjector

__all__ = ["WorkflowsProvider"]


class WorkflowsProvider(Provider):
    """Wires one `WorkflowEngine` for each container.

    The application provides what is its own: `WorkflowRegistry`, `WorkflowStore` and `WorkflowQueries`. The other ports have
    defaults here, which a provider that comes later in ``make_async_container`` replaces; the default executor gives no hints, so
    workers find work by looking into the store.

    Closing the container closes the engine, and with it the store. Opening it (``await engine.open()``) is left to whoever starts the
    application: `workflows_litestar.WorkflowPlugin`, a worker, a command.

    The steps of the engine get their dependencies out of the same container, each attempt in a scope of its own: see `DishkaInjector`.
    """

    scope = Scope.APP

    def __init__(self, *, step_scope: BaseScope = Scope.REQUEST) -> None:
        """Wire the engine.

        Args:
            step_scope: Scope of an attempt at a step, in which its `WorkflowContext` can be had.
        """
        super().__init__()
        self._step_scope = step_scope
        self.from_context(WorkflowContext, scope=step_scope)

    @provide
    def settings(self) -> EngineSettings:
        """The engine's defaults: no secret, so no webhook addresses."""
        return EngineSettings()

    @provide
    def executor(self) -> StepExecutor:
        """No hints."""
        return NullExecutor()

    @provide
    def event_bus(self) -> EventBus:
        """Listeners in this process."""
        return EventBus()

    @provide
    def events(self, event_bus: EventBus) -> EventPublisher:
        """Events go to the listeners of this process."""
        return event_bus

    @provide
    def clock(self) -> Clock:
        """The machine's clock."""
        return SystemClock()

    @provide
    def ids(self) -> IdGenerator:
        """UUIDs of version 7."""
        return Uuid7Generator()

    @provide
    def codec(self) -> PayloadCodec:
        """JSON with tags."""
        return JsonCodec()

    @provide
    def conditions(self) -> ConditionEvaluator:
        """The expression language of the core."""
        return SafeExpressions()

    @provide
    def injector(self, container: AsyncContainer) -> StepInjector:
        """This container."""
        return DishkaInjector(container, scope=self._step_scope)

    @provide
    async def engine(
        self,
        registry: WorkflowRegistry,
        store: WorkflowStore,
        queries: WorkflowQueries,
        executor: StepExecutor,
        events: EventPublisher,
        clock: Clock,
        ids: IdGenerator,
        codec: PayloadCodec,
        conditions: ConditionEvaluator,
        settings: EngineSettings,
        injector: StepInjector,
    ) -> AsyncIterator[WorkflowEngine]:
        """The engine; closed with the container."""
        engine = WorkflowEngine(
            registry,
            store=store,
            queries=queries,
            executor=executor,
            events=events,
            clock=clock,
            ids=ids,
            codec=codec,
            conditions=conditions,
            settings=settings,
            injector=injector,
        )
        yield engine
        await engine.aclose()
