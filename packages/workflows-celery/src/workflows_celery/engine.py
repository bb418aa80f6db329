"""The one-liner: an engine whose steps are run by Celery's workers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Unpack

from celery import Celery

from workflows_celery.executor import CeleryStepExecutor
from workflows_core.adapters.wired_engine import Persistence, WiredEngine, Wiring
from workflows_core.authoring.registry import WorkflowRegistry

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
        **wiring: Unpack[Wiring],
    ) -> None:
        """Wire the engine.

        Args:
            celery_app: The application of Celery.
            persistence: Where instances live, for instance what `workflows_sqlalchemy.create_store` gives; closed with the engine.
            registry: Definitions whose code this process has.
            queues: See `CeleryStepExecutor`.
            wiring: See `workflows_core.adapters.wired_engine.Wiring`.
        """
        super().__init__(
            registry if registry is not None else WorkflowRegistry(),
            store=persistence.store,
            queries=persistence.queries,
            executor=CeleryStepExecutor(celery_app, queues=queues),
            **wiring,
        )
