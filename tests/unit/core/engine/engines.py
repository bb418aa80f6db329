"""Engines over a store in memory that have no worker of their own and tell nobody of their work."""

from __future__ import annotations

from workflows_core import (
    EngineSettings,
    EventBus,
    InMemoryWorkflowQueries,
    JsonCodec,
    MemoryState,
    NullExecutor,
    SafeExpressions,
    SystemClock,
    Uuid7Generator,
    WorkflowEngine,
    WorkflowRegistry,
)
from workflows_core.ports.store import WorkflowStore


def an_engine(
    registry: WorkflowRegistry, store: WorkflowStore, memory: MemoryState, settings: EngineSettings
) -> WorkflowEngine:
    """An engine over a store, which may be wrapped, of a memory."""
    return WorkflowEngine(
        registry,
        store=store,
        queries=InMemoryWorkflowQueries(memory),
        executor=NullExecutor(),
        events=EventBus(),
        clock=SystemClock(),
        ids=Uuid7Generator(),
        codec=JsonCodec(),
        conditions=SafeExpressions(),
        settings=settings,
    )
