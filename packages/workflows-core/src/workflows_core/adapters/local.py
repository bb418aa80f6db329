"""The one-liner: an engine in this process, with everything in memory."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Unpack

from workflows_core.adapters.in_process_executor import InProcessExecutor
from workflows_core.adapters.memory import InMemoryWorkflowQueries, InMemoryWorkflowStore, MemoryState
from workflows_core.adapters.system_clock import SystemClock
from workflows_core.adapters.wired_engine import WiredEngine, Wiring
from workflows_core.authoring.registry import WorkflowRegistry
from workflows_core.engine.settings import EngineSettings
from workflows_core.engine.worker import Worker
from workflows_core.ports.clock import Clock
from workflows_core.ports.events import EventPublisher
from workflows_core.ports.executor import StepExecutor
from workflows_core.ports.injection import StepInjector
from workflows_core.ports.queries import WorkflowQueries
from workflows_core.ports.store import WorkflowStore

__all__ = ["InProcessEngine", "LocalExecutionEngine"]


class InProcessEngine(WiredEngine):
    """An engine over any store whose worker runs in the same event loop, from the first start on."""

    def __init__(
        self,
        registry: WorkflowRegistry,
        *,
        store: WorkflowStore,
        queries: WorkflowQueries,
        others: StepExecutor | None = None,
        concurrency: int = 32,
        **wiring: Unpack[Wiring],
    ) -> None:
        """Wire the engine.

        Args:
            registry: Definitions whose code this process has.
            store: Where instances live.
            queries: Lists and look-ups.
            others: Reaches the workers of other processes on the same store, and hears from them if it also is a `WakeUps`.
            concurrency: Most steps at once.
            wiring: See `Wiring`.
        """
        executor = InProcessExecutor(others)
        super().__init__(
            registry,
            store=store,
            queries=queries,
            executor=executor,
            **wiring,
        )
        self._in_process = executor
        executor.bind(lambda: Worker(self, concurrency=concurrency))

    async def open(self) -> None:
        """Check the store, keep the definitions, and go on with what was left unfinished."""
        await super().open()
        self._in_process.ensure_running()

    async def aclose(self) -> None:
        """Let the steps under way finish, then give back what the executor and the store hold."""
        await self._in_process.stop()
        await super().aclose()


class LocalExecutionEngine(InProcessEngine):
    """An engine that keeps everything in the memory of this process: for tests, scripts and trying things out.

    It is the same engine as the durable ones, over the memory store: what works here works there.
    """

    def __init__(
        self,
        registry: WorkflowRegistry | None = None,
        *,
        event_bus: EventPublisher | None = None,
        clock: Clock | None = None,
        settings: EngineSettings | None = None,
        injector: StepInjector | None = None,
        concurrency: int = 32,
    ) -> None:
        """Wire the engine over a memory store of its own."""
        clock = clock if clock is not None else SystemClock()
        memory = MemoryState(clock)
        wanted = settings if settings is not None else EngineSettings()
        if wanted.secret is None:
            wanted = replace(wanted, secret=secrets.token_bytes(32))
        super().__init__(
            registry if registry is not None else WorkflowRegistry(),
            store=InMemoryWorkflowStore(memory),
            queries=InMemoryWorkflowQueries(memory),
            event_bus=event_bus,
            clock=clock,
            settings=wanted,
            injector=injector,
            concurrency=concurrency,
        )
