"""The one-liner: an engine whose steps are run by ARQ's workers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Unpack

from arq.connections import ArqRedis

from workflows_arq.executor import ARQStepExecutor
from workflows_core.adapters.wired_engine import Persistence, WiredEngine, Wiring
from workflows_core.authoring.registry import WorkflowRegistry

__all__ = ["ARQExecutionEngine"]


class ARQExecutionEngine(WiredEngine):
    """An engine that starts workflows here and has their steps run by ARQ's workers; these use the same class, see `ARQWorkerHost`."""

    def __init__(
        self,
        pool: ArqRedis,
        persistence: Persistence,
        registry: WorkflowRegistry | None = None,
        *,
        queues: Mapping[str, str] | None = None,
        **wiring: Unpack[Wiring],
    ) -> None:
        """Wire the engine.

        Args:
            pool: ARQ's connections to Redis; stays the application's to close.
            persistence: Where instances live, for instance what `workflows_sqlalchemy.create_store` gives; closed with the engine.
            registry: Definitions whose code this process has.
            queues: See `ARQStepExecutor`.
            wiring: See `workflows_core.adapters.wired_engine.Wiring`.
        """
        super().__init__(
            registry if registry is not None else WorkflowRegistry(),
            store=persistence.store,
            queries=persistence.queries,
            executor=ARQStepExecutor(pool, queues=queues),
            **wiring,
        )
