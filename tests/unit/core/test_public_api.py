"""The names that applications import."""

from __future__ import annotations

import inspect

import pytest

import workflows_core

PLANNED = {
    "ActiveStep", "Actor", "BaseGateway", "BaseHumanStep", "BaseMachineStep", "BaseStep", "ConditionalGroup",
    "DelayStep", "Edge", "EngineSettings", "EventBus", "ExclusiveGateway", "ExecutionEngine", "ForEach",
    "HumanTaskCompleted", "HumanTaskCreated", "InProcessEngine", "InclusiveGateway", "InvalidTransitionError",
    "LocalExecutionEngine", "NonRetryableError", "ParallelGateway", "ParallelGroup", "Parking", "Phase", "Problem",
    "RaceGroup", "RetryPolicy", "ScheduledStep", "SequentialGroup", "SignalReceived", "Step", "StepCatalogue", "StepExecutionError",
    "StepGroup", "StepStatus", "StepTimeoutError", "StepType", "SyncWorkflowEngine", "TaskStatus", "TimerStep",
    "Undoing", "ValidationError", "WaitForSignal", "WebhookStep", "Worker", "Workflow", "WorkflowCompleted", "WorkflowContext",
    "WorkflowDefinition", "WorkflowDiscarded", "WorkflowEngine", "WorkflowGraph", "WorkflowInstance",
    "WorkflowNotFoundError", "WorkflowRegistry", "WorkflowRetried", "WorkflowStarted", "WorkflowStatus",
    "WorkflowsError", "human_task", "step", "workflow",
}  # fmt: skip


def test_the_exported_names_are_sorted_and_importable() -> None:
    exported = workflows_core.__all__

    assert list(exported) == sorted(exported)
    assert len(set(exported)) == len(exported)
    assert all(hasattr(workflows_core, name) for name in exported)


def test_every_planned_name_is_exported() -> None:
    assert set(workflows_core.__all__) >= PLANNED


def test_nothing_is_importable_that_is_not_exported() -> None:
    public = {
        name
        for name, value in vars(workflows_core).items()
        if not name.startswith("_") and not inspect.ismodule(value) and name != "annotations"
    }

    assert public == set(workflows_core.__all__)


@pytest.mark.parametrize("name", [name for name in workflows_core.__all__ if not name.isupper()])
def test_every_exported_name_is_documented(name: str) -> None:
    assert inspect.getdoc(getattr(workflows_core, name))
