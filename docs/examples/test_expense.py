"""Tests of the quickstart's workflow, as its owner would write them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from quickstart import CheckReceipt, Expense

from workflows_core import LocalExecutionEngine, WorkflowContext, WorkflowStatus


async def test_a_receipt_is_noticed() -> None:
    context = WorkflowContext.for_testing({"receipt": "scan.pdf"})
    await CheckReceipt().execute(context)
    assert context.data["has_receipt"] is True


@pytest.fixture
async def engine() -> AsyncIterator[LocalExecutionEngine]:
    async with LocalExecutionEngine() as opened:
        yield opened


async def test_an_approved_expense_is_paid(engine: LocalExecutionEngine) -> None:
    started = await engine.start_workflow(Expense, {"amount": 42, "receipt": "scan.pdf"})
    waiting = await engine.wait(started.id, timeout=5)
    assert waiting.current_step == "approve"

    await engine.complete_human_task(started.id, "approve", "bob", {"approved": True})
    finished = await engine.wait(started.id, timeout=5)
    assert finished.status is WorkflowStatus.COMPLETED
    assert finished.data["paid"] == 42


@pytest.mark.parametrize(
    ("initial", "form", "expected"),
    [
        ({"amount": 42, "receipt": "scan.pdf"}, {"approved": True}, "pay"),
        ({"amount": 42}, {"approved": True}, "decline"),
        ({"amount": 42, "receipt": "scan.pdf"}, {"approved": False}, "decline"),
    ],
)
async def test_only_approved_expenses_with_a_receipt_are_paid(
    engine: LocalExecutionEngine, initial: dict[str, object], form: dict[str, object], expected: str
) -> None:
    started = await engine.start_workflow(Expense, initial)
    await engine.wait(started.id, timeout=5)
    await engine.complete_human_task(started.id, "approve", "bob", form)
    await engine.wait(started.id, timeout=5)
    history = await engine.queries.list_executions(started.id)
    assert history[-1].execution.step_name == expected


async def test_nothing_about_the_definition_is_doubtful() -> None:
    assert Expense.get_definition().validate() == []
