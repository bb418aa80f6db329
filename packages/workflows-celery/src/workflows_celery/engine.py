"""The one-liner: an engine whose steps are run by Celery's workers."""

from __future__ import annotations

from collections.abc import Mapping

from celery import Celery

from workflows_celery.executor import CeleryStepExecutor
from workflows_core.adapters.wired_engine import Persistence, WiredEngine
from workflows_core.authoring.registry import WorkflowRegistry
from workflows_core.engine.settings import EngineSettings
from workflows_core.ports.clock import Clock
from workflows_core.ports.codec import PayloadCodec
from workflows_core.ports.conditions import ConditionEvaluator
from workflows_core.ports.events import EventPublisher

__all__ = ["CeleryExecutionEngine"]


class CeleryExecutionEngine(WiredEngine):
    """An engine that starts workflows here and has their steps run by Celery's workers; these use the same class, see `CeleryWorkerHost`."""

    def __init__(
        self,
        celery_app: Celery,
        persistence: Persistence,
        registry: WorkflowRegistry | None = None,
        *,
        queues: Mapping[str, str] | None = None,
        event_bus: EventPublisher | None = None,
        clock: Clock | None = None,
        codec: PayloadCodec | None = None,
        conditions: ConditionEvaluator | None = None,
        settings: EngineSettings | None = None,
    ) -> None:
        """Wire the engine; what is None is the default of its port.

        Args:
            celery_app: The application of Celery.
            persistence: Where instances live, for instance what `workflows_sqlalchemy.create_store` gives; closed with the engine.
            registry: Definitions whose code this process has.
            queues: See `CeleryStepExecutor`.
            event_bus: Is told what happened.
            clock: Tells the time to whoever does not ask the store.
            codec: Encodes the data.
            conditions: Evaluates the conditions of edges.
            settings: Limits, times and secrets.
        """
        super().__init__(
            registry if registry is not None else WorkflowRegistry(),
            store=persistence.store,
            queries=persistence.queries,
            executor=CeleryStepExecutor(celery_app, queues=queues),
            event_bus=event_bus,
            clock=clock,
            codec=codec,
            conditions=conditions,
            settings=settings,
        )
