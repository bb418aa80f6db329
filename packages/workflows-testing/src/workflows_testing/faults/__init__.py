"""Make a store or an executor fail when the test says so: the wrapped adapter is sound, the way to it is not.

A `FaultPlan` says which calls go wrong, and how; `FaultyStore` and `FaultyExecutor` wrap any adapter and follow it::

    plan = FaultPlan(seed=7).on("commit", nth=3, fault=CommitThenFail()).randomly("claim", rate=0.05, faults=[FailBefore()])
    store = FaultyStore(InMemoryWorkflowStore(memory), plan)

An engine over the wrapped ports must come to the same end as without faults. This is for testing engines and workflows; adapters that
are themselves broken, for testing the conformance kits, are in ``workflows_testing.faulty``.
"""

from __future__ import annotations

from workflows_testing.faults.executor import (
    DelayHint,
    DoubleHint,
    FaultyExecutor,
    FaultyWakeUps,
    HintFault,
    LoseHint,
    ReorderHints,
)
from workflows_testing.faults.plan import FaultPlan, Injected
from workflows_testing.faults.relay import StoreCall, StoreRelay
from workflows_testing.faults.store import (
    AnswerConflict,
    CommitThenFail,
    FailBefore,
    FaultyStore,
    LoseLease,
    Slow,
    StoreFault,
)

__all__ = [
    "AnswerConflict",
    "CommitThenFail",
    "DelayHint",
    "DoubleHint",
    "FailBefore",
    "FaultPlan",
    "FaultyExecutor",
    "FaultyStore",
    "FaultyWakeUps",
    "HintFault",
    "Injected",
    "LoseHint",
    "LoseLease",
    "ReorderHints",
    "Slow",
    "StoreCall",
    "StoreFault",
    "StoreRelay",
]
