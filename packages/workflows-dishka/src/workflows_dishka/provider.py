"""The engine and its ports as dishka dependencies."""

from __future__ import annotations

from collections.abc import AsyncIterator

from dishka import Provider, Scope, provide

from workflows_core import (
    EngineSettings,
    EventBus,
    JsonCodec,
    NullExecutor,
    SafeExpressions,
    SystemClock,
    Uuid7Generator,
    WorkflowEngine,
    WorkflowRegistry,
)
from workflows_core.ports.clock import Clock
from workflows_core.ports.codec import PayloadCodec
from workflows_core.ports.conditions import ConditionEvaluator
from workflows_core.ports.events import EventPublisher
from workflows_core.ports.executor import StepExecutor
from workflows_core.ports.ids import IdGenerator
from workflows_core.ports.queries import WorkflowQueries
from workflows_core.ports.store import WorkflowStore

__all__ = ["WorkflowsProvider"]


class WorkflowsProvider(Provider):
    """Wires one `WorkflowEngine` for each container.

    The application provides what is its own: `WorkflowRegistry`, `WorkflowStore` and `WorkflowQueries`. The other ports have
    defaults here, which a provider that comes later in ``make_async_container`` replaces; the default executor gives no hints, so
    workers find work by looking into the store.

    Closing the container closes the engine, and with it the store. Opening it (``await engine.open()``) is left to whoever starts the
    application: `workflows_litestar.WorkflowPlugin`, a worker, a command.
    """

    scope = Scope.APP

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
        )
        yield engine
        await engine.aclose()
