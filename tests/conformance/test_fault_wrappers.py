"""Stores and executors with nothing going wrong on the way behave as those that they wrap; so do the small ports of simulations."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from random import Random
from uuid import UUID

import pytest

from workflows_core import LocalExecutionEngine
from workflows_core.adapters.in_process_executor import InProcessExecutor, NullExecutor
from workflows_core.adapters.memory import InMemoryWorkflowQueries, InMemoryWorkflowStore, MemoryState
from workflows_core.engine.worker import Worker
from workflows_core.ports.clock import Clock
from workflows_core.ports.executor import WorkRef
from workflows_core.ports.store import WorkflowStore
from workflows_testing.clock import ManualClock
from workflows_testing.conformance import (
    ClockConformance,
    IdGeneratorConformance,
    LeaseKeeperConformance,
    StepExecutorConformance,
    WakeUpsConformance,
    WorkflowStoreConformance,
)
from workflows_testing.faults import (
    DelayHint,
    DoubleHint,
    FaultPlan,
    FaultyExecutor,
    FaultyStore,
    FaultyWakeUps,
    LoseHint,
    ReorderHints,
    StoreCall,
    StoreRelay,
)
from workflows_testing.faults.relay import RelayedLeaseKeeper
from workflows_testing.simulation import SeededIds, SimulatedLoop, VirtualClock
from workflows_testing.simulation.network import Connection, Network, NetworkExecutor


class OneMemory:
    """The queries over what is wrapped."""

    @pytest.fixture
    def memory(self, clock: Clock) -> MemoryState:
        return MemoryState(clock)

    @pytest.fixture
    def queries(self, memory: MemoryState) -> InMemoryWorkflowQueries:
        return InMemoryWorkflowQueries(memory)


class TestStoreRelay(OneMemory, WorkflowStoreConformance):
    adapter = StoreRelay

    @pytest.fixture
    def store(self, memory: MemoryState) -> WorkflowStore:
        return StoreRelay(InMemoryWorkflowStore(memory))

    @pytest.fixture
    def peer(self, memory: MemoryState) -> WorkflowStore:
        return StoreRelay(InMemoryWorkflowStore(memory))


class TestFaultyStore(OneMemory, WorkflowStoreConformance):
    adapter = FaultyStore

    @pytest.fixture
    def store(self, memory: MemoryState) -> WorkflowStore:
        return FaultyStore(InMemoryWorkflowStore(memory), FaultPlan())

    @pytest.fixture
    def peer(self, memory: MemoryState) -> WorkflowStore:
        return FaultyStore(InMemoryWorkflowStore(memory), FaultPlan())


class TestConnection(OneMemory, WorkflowStoreConformance):
    adapter = Connection

    @pytest.fixture
    def store(self, memory: MemoryState) -> WorkflowStore:
        return connection(memory, "here")

    @pytest.fixture
    def peer(self, memory: MemoryState) -> WorkflowStore:
        return connection(memory, "there")


def connection(memory: MemoryState, process: str) -> Connection:
    async def deliver(call: StoreCall) -> object:
        return await call.perform()

    return Connection(InMemoryWorkflowStore(memory), Network(Random(1), latency_s=0.0), process, deliver)


class TestRelayedLeaseKeeper(OneMemory, LeaseKeeperConformance):
    adapter = RelayedLeaseKeeper

    @pytest.fixture
    def store(self, memory: MemoryState) -> WorkflowStore:
        return StoreRelay(InMemoryWorkflowStore(memory))


class TestFaultyExecutor(StepExecutorConformance):
    adapter = FaultyExecutor

    @pytest.fixture
    def executor(self) -> FaultyExecutor:
        everything = [LoseHint(), DoubleHint(), ReorderHints(), DelayHint(0.0)]
        return FaultyExecutor(NullExecutor(), FaultPlan(1).randomly("publish", rate=0.9, faults=everything))


class TestFaultyWakeUps(StepExecutorConformance, WakeUpsConformance):
    adapter = FaultyWakeUps

    @pytest.fixture
    async def executor(self) -> AsyncGenerator[FaultyWakeUps]:
        inner = InProcessExecutor()
        async with LocalExecutionEngine() as engine:
            inner.bind(lambda: Worker(engine))
            yield FaultyWakeUps(inner, inner, FaultPlan())
            await inner.close()

    @pytest.fixture
    def wake_ups(self, executor: FaultyWakeUps) -> FaultyWakeUps:
        return executor

    @pytest.fixture
    def give_hint(self, executor: FaultyWakeUps) -> Callable[[str], Awaitable[None]]:
        async def give(queue: str) -> None:
            await executor.publish([WorkRef(UUID(int=1), 1)], queue=queue)

        return give


class TestNetworkExecutor(StepExecutorConformance):
    adapter = NetworkExecutor

    @pytest.fixture
    def executor(self) -> NetworkExecutor:
        return NetworkExecutor(Network(Random(1), latency_s=0.0))


class TestVirtualClock(ClockConformance):
    adapter = VirtualClock

    @pytest.fixture
    def clock(self) -> VirtualClock:
        return VirtualClock(SimulatedLoop(Random(1)))  # type: ignore[abstract]


class TestSeededIds(IdGeneratorConformance):
    adapter = SeededIds

    @pytest.fixture
    def ids(self) -> SeededIds:
        return SeededIds(ManualClock(), Random(1))
