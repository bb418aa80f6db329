"""A workflow whose data have a type."""

from __future__ import annotations

import asyncio
from datetime import date
from decimal import Decimal

import msgspec

from workflows_core import BaseMachineStep, InputValidationError, LocalExecutionEngine, Workflow, WorkflowContext


class Claim(msgspec.Struct):
    """What an employee hands in."""

    amount: Decimal
    day: date


class ExpenseState(msgspec.Struct):
    """The data of an instance; a dataclass would do as well."""

    amount: Decimal
    day: date
    approvers: list[str] = []
    tax: Decimal | None = None


class AddTax(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None:
        state: ExpenseState = context.state
        state.tax = (state.amount * Decimal("0.19")).quantize(Decimal("0.01"))
        state.approvers.append("cfo" if state.amount > 1000 else "lead")


class Expense(Workflow[ExpenseState]):
    """Reimburses an expense."""

    __input_schema__ = Claim
    __steps__ = [AddTax]


async def main() -> None:
    async with LocalExecutionEngine() as engine:
        started = await engine.start_workflow(Expense, {"amount": Decimal("99.90"), "day": date(2026, 3, 1)})
        finished = await engine.wait(started.id, timeout=5)
        print(finished.data)
        try:
            await engine.start_workflow(Expense, {"amount": "99.90", "day": "yesterday"})
        except InputValidationError as error:
            for problem in error.problems:
                print(problem.pointer, problem.message)


if __name__ == "__main__":
    asyncio.run(main())
