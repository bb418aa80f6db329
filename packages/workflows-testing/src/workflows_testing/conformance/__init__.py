"""Conformance kits: for each port a class of tests that every adapter of it has to pass.

An adapter's test module subclasses the suite, names the adapter and overrides the fixtures::

    from workflows_testing.conformance import WorkflowQueriesConformance, WorkflowStoreConformance


    class TheStore:
        @pytest.fixture
        async def store(self, clock: Clock) -> AsyncIterator[WorkflowStore]:
            store = await MyWorkflowStore.open(an_empty_database(), clock=clock)
            yield store
            await store.close()

        @pytest.fixture
        def queries(self, store: WorkflowStore) -> WorkflowQueries:
            return MyWorkflowQueries(store)


    class TestMyWorkflowStore(TheStore, WorkflowStoreConformance):
        adapter = MyWorkflowStore


    class TestMyWorkflowQueries(TheStore, WorkflowQueriesConformance):
        adapter = MyWorkflowQueries

The fixtures of these two suites, and of `LeaseKeeperConformance` (each of the others says its own):

``clock``
    The time of the store, moved by the test: `Clock` with ``advance(timedelta)``. A `workflows_testing.clock.ManualClock` unless
    overridden; the adapter's ``store`` fixture takes it and binds the store to it. No rule sleeps.
``store``
    The store under test; empty. Must be overridden.
``peer``
    Another store object over the same data, as another process would have; ``store`` itself unless overridden.
``queries``
    The read side of the same data. Must be overridden.

Each test is one rule of the port, with a sentence for a name. No rule may be overridden or skipped: an adapter that cannot pass
one is not an adapter of that port. Rules assert what a port promises and nothing else, so what they do not ask is free.
"""

from __future__ import annotations

from workflows_testing.conformance.clocks import ClockConformance
from workflows_testing.conformance.codecs import PayloadCodecConformance
from workflows_testing.conformance.conditions import ConditionEvaluatorConformance
from workflows_testing.conformance.deployments import ExecutorDeploymentConformance
from workflows_testing.conformance.executors import StepExecutorConformance
from workflows_testing.conformance.identities import IdGeneratorConformance
from workflows_testing.conformance.injectors import StepInjectorConformance
from workflows_testing.conformance.lease_keepers import LeaseKeeperConformance
from workflows_testing.conformance.publishers import EventPublisherConformance
from workflows_testing.conformance.queries import WorkflowQueriesConformance
from workflows_testing.conformance.store import WorkflowStoreConformance
from workflows_testing.conformance.transactions import TransactionsConformance
from workflows_testing.conformance.wake_ups import WakeUpsConformance

__all__ = [
    "ClockConformance",
    "ConditionEvaluatorConformance",
    "EventPublisherConformance",
    "ExecutorDeploymentConformance",
    "IdGeneratorConformance",
    "LeaseKeeperConformance",
    "PayloadCodecConformance",
    "StepExecutorConformance",
    "StepInjectorConformance",
    "TransactionsConformance",
    "WakeUpsConformance",
    "WorkflowQueriesConformance",
    "WorkflowStoreConformance",
]
