"""An engine whose small ports have their defaults, so that a wiring names only what it is about."""

from __future__ import annotations

from typing import Protocol, TypedDict, Unpack

from workflows_core.adapters.event_bus import EventBus
from workflows_core.adapters.json_codec import JsonCodec
from workflows_core.adapters.safe_expressions import SafeExpressions
from workflows_core.adapters.system_clock import SystemClock
from workflows_core.adapters.uuid7 import Uuid7Generator
from workflows_core.authoring.registry import WorkflowRegistry
from workflows_core.engine.engine import WorkflowEngine
from workflows_core.engine.settings import EngineSettings
from workflows_core.ports.clock import Clock
from workflows_core.ports.codec import PayloadCodec
from workflows_core.ports.conditions import ConditionEvaluator
from workflows_core.ports.events import EventPublisher
from workflows_core.ports.executor import StepExecutor
from workflows_core.ports.injection import StepInjector
from workflows_core.ports.queries import WorkflowQueries
from workflows_core.ports.store import WorkflowStore

__all__ = ["Persistence", "WiredEngine", "Wiring"]


class Persistence(Protocol):
    """The two sides of one database: what `workflows_sqlalchemy.create_store` gives."""

    @property
    def store(self) -> WorkflowStore:
        """Where instances live."""

    @property
    def queries(self) -> WorkflowQueries:
        """Lists and look-ups."""


class Wiring(TypedDict, total=False):
    """What a wiring may name beside what it is about; the default of its port is taken for what it leaves out."""

    event_bus: EventPublisher | None
    """Is told what happened."""
    clock: Clock | None
    """Tells the time to whoever does not ask the store."""
    codec: PayloadCodec | None
    """Encodes the data."""
    conditions: ConditionEvaluator | None
    """Evaluates the conditions of edges."""
    settings: EngineSettings | None
    """Limits, times and secrets."""
    injector: StepInjector | None
    """Provides what the code of steps wants beside its context."""


class WiredEngine(WorkflowEngine):
    """An engine over any store and executor; it runs no steps itself."""

    def __init__(
        self,
        registry: WorkflowRegistry,
        *,
        store: WorkflowStore,
        queries: WorkflowQueries,
        executor: StepExecutor,
        **wiring: Unpack[Wiring],
    ) -> None:
        """Wire the engine.

        Args:
            registry: Definitions whose code this process has.
            store: Where instances live.
            queries: Lists and look-ups.
            executor: How workers hear of work.
            wiring: See `Wiring`.
        """
        event_bus, clock = wiring.get("event_bus"), wiring.get("clock")
        codec, conditions = wiring.get("codec"), wiring.get("conditions")
        super().__init__(
            registry,
            store=store,
            queries=queries,
            executor=executor,
            events=event_bus if event_bus is not None else EventBus(),
            clock=clock if clock is not None else SystemClock(),
            ids=Uuid7Generator(),
            codec=codec if codec is not None else JsonCodec(),
            conditions=conditions if conditions is not None else SafeExpressions(),
            settings=wiring.get("settings"),
            injector=wiring.get("injector"),
        )
