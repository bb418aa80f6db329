"""The memory store passes the conformance kits."""

from __future__ import annotations

import pytest

from workflows_core.adapters.memory import (
    InMemoryLeaseKeeper,
    InMemoryWorkflowQueries,
    InMemoryWorkflowStore,
    MemoryState,
)
from workflows_core.ports.clock import Clock
from workflows_testing.conformance import LeaseKeeperConformance, WorkflowQueriesConformance, WorkflowStoreConformance


class OneMemory:
    """Two store objects and the queries over the same memory."""

    @pytest.fixture
    def memory(self, clock: Clock) -> MemoryState:
        return MemoryState(clock)

    @pytest.fixture
    def store(self, memory: MemoryState) -> InMemoryWorkflowStore:
        return InMemoryWorkflowStore(memory)

    @pytest.fixture
    def peer(self, memory: MemoryState) -> InMemoryWorkflowStore:
        return InMemoryWorkflowStore(memory)

    @pytest.fixture
    def queries(self, memory: MemoryState) -> InMemoryWorkflowQueries:
        return InMemoryWorkflowQueries(memory)


class TestInMemoryWorkflowStore(OneMemory, WorkflowStoreConformance):
    adapter = InMemoryWorkflowStore


class TestInMemoryWorkflowQueries(OneMemory, WorkflowQueriesConformance):
    adapter = InMemoryWorkflowQueries


class TestInMemoryLeaseKeeper(OneMemory, LeaseKeeperConformance):
    adapter = InMemoryLeaseKeeper
