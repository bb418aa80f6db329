"""The samples of the plan compile as they stand, with another import path."""

# ruff: noqa: PIE790 - the samples stand as they are in the plan

from __future__ import annotations

from typing import Any

from workflows_core import (
    BaseMachineStep,
    ConditionalGroup,
    Edge,
    ParallelGroup,
    SequentialGroup,
    Step,
    StepType,
    Workflow,
    WorkflowContext,
    WorkflowDefinition,
    human_task,
    step,
    workflow,
)


@workflow(name="document_approval", version="1.0.0")
class DocumentApprovalWorkflow:
    """Workflow for document approval process."""

    @step(initial=True)
    async def submit_document(self, context: WorkflowContext) -> str:
        """Initial submission step."""
        return "review"

    @human_task(
        title="Review Document",
        form_schema={"type": "object", "properties": {"approved": {"type": "boolean"}}},
    )
    async def review(self, context: WorkflowContext) -> str:
        """Manager reviews document."""
        if context.get("approved"):
            return "publish"
        return "revise"

    @step
    async def publish(self, context: WorkflowContext) -> None:
        """Publish the approved document."""
        ...

    @step(terminal=True)
    async def revise(self, context: WorkflowContext) -> None:
        """Send back for revision."""
        ...


class SendEmailStep(Step):
    """Custom step for sending emails."""

    name = "send_email"
    description = "Send an email notification"
    step_type = StepType.MACHINE

    def __init__(self, template: str, recipients_key: str = "recipients"):
        self.template = template
        self.recipients_key = recipients_key

    async def execute(self, context: WorkflowContext) -> dict[str, Any]:
        recipients = context.get(self.recipients_key, [])
        # Send email logic...
        return {"sent_to": recipients, "template": self.template}

    async def can_execute(self, context: WorkflowContext) -> bool:
        return bool(context.get(self.recipients_key))


class Submit(BaseMachineStep):
    name = "submit"

    async def execute(self, context: WorkflowContext) -> None: ...


class Approve(BaseMachineStep):
    name = "approve"

    async def execute(self, context: WorkflowContext) -> None: ...


class Approval(Workflow):
    __workflow_name__ = "approval"
    __workflow_version__ = "1.0.0"
    __steps__ = {"submit": Submit(), "approve": Approve()}
    __edges__ = [("submit", "approve")]


def test_the_decorated_workflow_of_the_plan_compiles() -> None:
    definition = DocumentApprovalWorkflow.get_definition()  # type: ignore[attr-defined]
    graph = definition.get_graph()
    assert graph.initial == "submit_document"
    assert [(edge.source, edge.target) for edge in graph.edges] == [
        ("submit_document", "review"),
        ("review", "publish"),
        ("review", "revise"),
    ]
    assert all(edge.named for edge in graph.edges)
    assert definition.terminal_steps == {"publish", "revise"}
    assert definition.warnings == ()


async def test_the_methods_of_a_decorated_workflow_can_be_called_in_a_test() -> None:
    context = WorkflowContext.for_testing({"approved": True})
    assert await DocumentApprovalWorkflow().review(context) == "publish"


async def test_the_custom_step_of_the_plan_runs_and_only_its_written_hooks_are_known() -> None:
    definition = WorkflowDefinition("mail", "1.0.0", "", {"send_email": SendEmailStep("welcome")}, [], "send_email")
    code = definition.code["send_email"]
    context = WorkflowContext.for_testing({"recipients": ["ann"]})
    assert code.execute is not None
    assert code.can_execute is not None
    assert await code.execute(context) == {"sent_to": ["ann"], "template": "welcome"}
    assert await code.can_execute(WorkflowContext.for_testing()) is False
    assert code.on_success is None
    assert code.on_failure is None


def test_the_definition_of_the_plan_compiles() -> None:
    definition = WorkflowDefinition(
        name="approval",
        version="1.0.0",
        description="Approves.",
        steps={"submit": Submit(), "approve": Approve()},
        edges=[Edge(source="submit", target=Approve, condition="amount > 3"), Edge(Submit, Approve)],
        initial_step="submit",
        terminal_steps={"approve"},
    )
    assert definition.get_graph().edges[0].condition == "amount > 3"
    assert definition.terminal_steps == {"approve"}
    assert "flowchart" in definition.to_mermaid()


def test_the_workflow_class_of_the_plan_compiles() -> None:
    assert Approval.get_definition().initial_step == "submit"


def test_the_groups_of_the_plan_compile() -> None:
    sequence = SequentialGroup(Submit(), Approve())
    parallel = ParallelGroup(SendEmailStep("a"), callback=sequence)
    choice = ConditionalGroup(lambda context: str(context.get("kind")), {"a": parallel})
    definition = WorkflowDefinition("grouped", steps=[choice])
    assert set(definition.graph.nodes) >= {"submit", "approve", "send_email", sequence.name, parallel.name, choice.name}
