"""The one-liner: an engine whose steps are run by SAQ's workers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Unpack

from saq import Queue

from workflows_core.adapters.wired_engine import Persistence, WiredEngine, Wiring
from workflows_core.authoring.registry import WorkflowRegistry
from workflows_saq.executor import SAQStepExecutor

__all__ = ["SAQExecutionEngine"]


class SAQExecutionEngine(WiredEngine):
    """An engine that starts workflows here and has their steps run by SAQ's workers; these use the same class, see `SAQWorkerHost`."""

    def __init__(
        self,
        queue: Queue,
        persistence: Persistence,
        registry: WorkflowRegistry | None = None,
        *,
        queues: Mapping[str, Queue] | None = None,
        **wiring: Unpack[Wiring],
    ) -> None:
        """Wire the engine.

        Args:
            queue: SAQ's queue; stays the application's to connect and to disconnect.
            persistence: Where instances live, for instance what `workflows_sqlalchemy.create_store` gives; closed with the engine.
            registry: Definitions whose code this process has.
            queues: See `SAQStepExecutor`.
            wiring: See `workflows_core.adapters.wired_engine.Wiring`.
        """
        super().__init__(
            registry if registry is not None else WorkflowRegistry(),
            store=persistence.store,
            queries=persistence.queries,
            executor=SAQStepExecutor(queue, queues=queues),
            **wiring,
        )
