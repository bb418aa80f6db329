"""The workflow of the quickstart."""

from __future__ import annotations

import asyncio

from workflows_core import BaseHumanStep, BaseMachineStep, Edge, LocalExecutionEngine, Workflow, WorkflowContext


class CheckReceipt(BaseMachineStep):
    """Look whether the receipt is there."""

    async def execute(self, context: WorkflowContext) -> None:
        context.set("has_receipt", bool(context.get("receipt")))


class Approve(BaseHumanStep):
    """Ask a manager."""

    title = "Approve {amount} for {purpose}"
    candidate_groups = ("managers",)
    form_schema = {
        "type": "object",
        "properties": {"approved": {"type": "boolean"}, "note": {"type": "string"}},
        "required": ["approved"],
    }


class Pay(BaseMachineStep):
    """Pay the money back."""

    async def execute(self, context: WorkflowContext) -> None:
        context.set("paid", context.get("amount"))


class Decline(BaseMachineStep):
    """Tell the employee."""

    async def execute(self, context: WorkflowContext) -> None:
        context.set("answer", context.get("note") or "declined")


class Expense(Workflow):
    """An expense: checked, approved, paid."""

    __workflow_name__ = "expense"
    __steps__ = [CheckReceipt, Approve, Pay, Decline]
    __edges__ = [
        (CheckReceipt, Approve),
        Edge(Approve, Pay, condition="approved and has_receipt"),
        Edge(Approve, Decline, default=True),
    ]


async def main() -> None:
    async with LocalExecutionEngine() as engine:
        started = await engine.start_workflow(Expense, {"amount": 42, "purpose": "a train", "receipt": "scan.pdf"})
        waiting = await engine.wait(started.id, timeout=5)
        print(waiting.status, waiting.current_step)

        [task] = await engine.get_pending_tasks("bob", groups=["managers"])
        print(task.opening.title)

        await engine.complete_human_task(started.id, "approve", "bob", {"approved": True})
        finished = await engine.wait(started.id, timeout=5)
        print(finished.status, finished.data["paid"])


if __name__ == "__main__":
    asyncio.run(main())
