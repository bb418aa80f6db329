"""A human task from its opening to its completion, with everything that can go wrong on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec

from workflows_core import (
    Actor,
    BaseHumanStep,
    BaseMachineStep,
    Edge,
    FormValidationError,
    LocalExecutionEngine,
    PermissionDeniedError,
    TaskAlreadyCompletedError,
    Workflow,
    WorkflowContext,
)


class Decision(msgspec.Struct):
    """The form: a type, or a JSON Schema as a dict."""

    approved: bool
    note: str = ""


class Approve(BaseHumanStep):
    """Ask a manager."""

    title = "Approve {amount} for {purpose}"
    description = "Handed in by {employee}."
    form_schema = Decision
    candidate_groups = ("managers",)
    due = timedelta(days=2)
    priority = 70

    def validate_submission(self, context: WorkflowContext, data: Mapping[str, Any]) -> Mapping[str, str] | None:
        """What a schema cannot say: a message by field, or nothing."""
        if not data["approved"] and not data.get("note"):
            return {"note": "Say why you decline."}
        return None


class Book(BaseHumanStep):
    """Ask whoever the data name, and keep the answer under a key of its own."""

    title = "Book {amount}"
    into = "booking"

    async def get_assignee(self, context: WorkflowContext) -> str:
        return "fiona" if context.get("amount") > 1000 else "felix"

    async def execute(self, context: WorkflowContext) -> str:
        """Runs after the completion, with the form in the data."""
        return f"booked on {context.get('booking')['account']} by {context.user_id}"


class File(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None: ...


class Expense(Workflow):
    """An expense that one person approves and another one books."""

    __steps__ = [Approve, Book, File]
    __edges__ = [(Approve, Book, "approved"), Edge(Approve, File, default=True), (Book, File)]


alice = Actor("alice", groups=frozenset({"managers"}))
bob = Actor("bob", groups=frozenset({"managers"}))
eve = Actor("eve")


async def main() -> None:
    async with LocalExecutionEngine() as engine:
        data = {"amount": 42, "purpose": "a train", "employee": "emil"}
        started = await engine.start_workflow(Expense, data, actor=Actor("emil"))
        await engine.wait(started.id, timeout=5)

        # The inbox of a person: what is assigned to her, and what her groups may do.
        [task] = await engine.get_pending_tasks("alice", groups=alice.groups)
        print(task.opening.title, "|", task.opening.description, "|", task.opening.candidate_groups)
        print("due in", (task.due_at or task.created_at) - task.created_at)

        try:
            await engine.complete_task(task.id, {"approved": True}, actor=eve)
        except PermissionDeniedError as error:
            print(error.actor, "may not:", error.reason)

        for form in ({"note": "fine"}, {"approved": False}):
            try:
                await engine.complete_task(task.id, form, actor=alice)
            except FormValidationError as error:
                print([(problem.pointer, problem.message) for problem in error.problems])

        # Alice gives it to Bob; from now on it is his alone.
        task = await engine.reassign_task(task.id, "bob", actor=alice, reason="I am away")
        await engine.complete_task(task.id, {"approved": True}, actor=bob, comment="Have a good trip!")
        try:
            await engine.complete_task(task.id, {"approved": False}, actor=bob)
        except TaskAlreadyCompletedError as error:
            print("already completed by", error.completed_by)

        waiting = await engine.wait(started.id, timeout=5)
        print(waiting.current_step, waiting.data["approved"], waiting.data["forms"])

        [task] = await engine.get_pending_tasks("felix")
        await engine.complete_task(task.id, {"account": 4711}, actor=Actor("felix"))
        finished = await engine.wait(started.id, timeout=5)
        print(finished.status, finished.data["booking"])

        # Who did what: the audit record.
        for recorded in await engine.queries.list_events(started.id):
            print(recorded.revision, recorded.actor, type(recorded.event).__name__)


if __name__ == "__main__":
    asyncio.run(main())
