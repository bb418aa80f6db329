"""The one-liner for a database: the same engine as in memory, over the SQL store."""

from __future__ import annotations

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from workflows_core.adapters.local import InProcessEngine
from workflows_core.authoring.registry import WorkflowRegistry
from workflows_core.engine.settings import EngineSettings
from workflows_core.ports.clock import Clock
from workflows_core.ports.codec import PayloadCodec
from workflows_core.ports.conditions import ConditionEvaluator
from workflows_core.ports.events import EventPublisher
from workflows_core.ports.injection import StepInjector
from workflows_sqlalchemy.config import SQLAlchemyStoreConfig

__all__ = ["PersistentExecutionEngine"]


class PersistentExecutionEngine(InProcessEngine):
    """An engine that keeps everything in SQLite or PostgreSQL, with a worker in the event loop that uses it.

    Any number of processes may do the same with one database: they share the work, and take over what a process that died leaves.
    The tables must be there: see `workflows_sqlalchemy.schema.upgrade`, or ``workflows database upgrade``.
    """

    def __init__(
        self,
        registry: WorkflowRegistry,
        database: str | URL | AsyncEngine | SQLAlchemyStoreConfig,
        *,
        event_bus: EventPublisher | None = None,
        clock: Clock | None = None,
        codec: PayloadCodec | None = None,
        conditions: ConditionEvaluator | None = None,
        settings: EngineSettings | None = None,
        injector: StepInjector | None = None,
        concurrency: int = 32,
    ) -> None:
        """Wire the engine; what is None is the default of its port.

        Args:
            registry: Definitions whose code this process has.
            database: A URL, the application's own engine, or all that can be said about a store.
            event_bus: Is told what happened.
            clock: Tells the time instead of the database, for tests.
            codec: Encodes the data.
            conditions: Evaluates the conditions of edges.
            settings: Limits, times and secrets. Webhook addresses need ``secret``.
            injector: Provides what the code of steps wants beside its context.
            concurrency: Most steps at once.

        Raises:
            StoreUnavailableError: The URL is wrong, or the database is of a kind that is not served.
        """
        config = (
            database
            if isinstance(database, SQLAlchemyStoreConfig)
            else SQLAlchemyStoreConfig(database=database, clock=clock)
        )
        sides = config.create()
        super().__init__(
            registry,
            store=sides.store,
            queries=sides.queries,
            event_bus=event_bus,
            clock=clock,
            codec=codec,
            conditions=conditions,
            settings=settings,
            injector=injector,
            others=sides.store.notifier(),
            concurrency=concurrency,
        )
