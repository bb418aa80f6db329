"""Steps that name their successor by what they return."""

from __future__ import annotations

import asyncio
from typing import Literal

from workflows_core import LocalExecutionEngine, WorkflowContext, human_task, step, workflow


@workflow(name="document_approval", version="1.0.0")
class DocumentApproval:
    """Approves a document."""

    @step(initial=True)
    async def submit(self, context: WorkflowContext) -> str:
        """The constants that are returned are read from the source: one successor, `review`."""
        return "review"

    @human_task(
        title="Review {document}",
        form_schema={"type": "object", "properties": {"approved": {"type": "boolean"}}, "required": ["approved"]},
    )
    async def review(self, context: WorkflowContext) -> Literal["publish", "revise"]:
        """Called after the completion, with the form in the data. The annotation says what may follow."""
        return "publish" if context.get("approved") else "revise"

    @step(next=["archive", "announce"])
    async def publish(self, context: WorkflowContext) -> list[str]:
        """`next` says what may follow; a list that is returned takes several at once."""
        return ["archive", "announce"] if context.get("public") else ["archive"]

    @step(next="submit")
    async def revise(self, context: WorkflowContext) -> None:
        """One name alone is a plain edge: nothing has to be returned."""

    @step(next=())
    async def archive(self, context: WorkflowContext) -> str:
        """Text that is a result and no successor: `next=()` says that nothing follows."""
        return "shelf 12"

    @step
    async def announce(self, context: WorkflowContext) -> None:
        """Nothing is returned, so nothing follows."""


async def main() -> None:
    async with LocalExecutionEngine() as engine:
        started = await engine.start_workflow(DocumentApproval, {"document": "the plan", "public": True})
        for approved in (False, True):
            waiting = await engine.wait(started.id, timeout=5)
            print(waiting.status, waiting.current_step)
            await engine.complete_human_task(started.id, "review", "alice", {"approved": approved})
        finished = await engine.wait(started.id, timeout=5)
        history = await engine.queries.list_executions(started.id)
        print(finished.status, "after", sorted({entry.execution.step_name for entry in history}))


if __name__ == "__main__":
    asyncio.run(main())
