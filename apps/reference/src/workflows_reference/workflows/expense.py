"""Expense approval, written as classes with edges and a typed state.

Three checks in parallel, the manager, finance from a limit on, a way back to the employee, the payment and its receipt. The last two are
tried several times; without a receipt the payment is taken back, and the instance is a dead letter that can go on from ``pay``.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from workflows_core import BaseHumanStep, BaseMachineStep, Edge, Injected, RetryPolicy, Workflow, WorkflowContext
from workflows_reference.accounts.directory import UserDirectory
from workflows_reference.archive import Archive
from workflows_reference.records import Records
from workflows_reference.tables import payments

__all__ = ["BUDGET", "FINANCE_LIMIT", "Expense", "ExpenseApproval"]

FINANCE_LIMIT: Final = Decimal(1000)
"""Above this amount finance approves too."""

BUDGET: Final = Decimal(1_000_000)
"""What a company pays for expenses in all."""

CATEGORY_LIMITS: Final = {
    "travel": Decimal(2000),
    "meals": Decimal(120),
    "equipment": Decimal(5000),
    "training": Decimal(3000),
}

Category = Literal["travel", "meals", "equipment", "training"]
Purpose = Annotated[str, Meta(min_length=5, max_length=500)]
Amount = Annotated[float, Meta(gt=0, le=100_000)]


class ExpenseRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What an employee files; also the form for its revision."""

    purpose: Purpose
    category: Category
    amount: Amount


class Decision(msgspec.Struct, forbid_unknown_fields=True):
    """The form of both approvals."""

    decision: Literal["approve", "revise", "reject"]
    note: Annotated[str, Meta(max_length=2000)] = ""


class Expense(msgspec.Struct):
    """What the steps know; each field is a key of the instance's data.

    Attributes:
        purpose: What the money was spent on.
        category: Decides the limit.
        amount: In euros, to the cent.
        employee: Who filed it and is paid.
        round: How often it was filed.
        findings: What the checks of this round found.
        blocked: Whether it cannot be approved as it is.
        manager: What the manager decided last.
        finance: What finance decided last.
        outcome: How it ended.
        receipt: Path of the receipt.
    """

    purpose: str
    category: Category
    amount: Decimal
    employee: str = ""
    round: int = 0
    findings: list[str] = []
    blocked: bool = False
    manager: Decision | None = None
    finance: Decision | None = None
    outcome: Literal["", "paid", "rejected"] = ""
    receipt: str | None = None


class Submit(BaseMachineStep):
    """Begin a round: the employee is who started the instance, and nothing is decided yet."""

    async def execute(self, context: WorkflowContext) -> None:
        """Write the expense down in the form that the other steps expect."""
        expense: Expense = context.state
        expense.employee = expense.employee or context.user_id or ""
        expense.amount = expense.amount.quantize(Decimal("0.01"))
        expense.round += 1
        expense.findings = []
        expense.manager = expense.finance = None


class CheckPolicy(BaseMachineStep):
    """Compare the amount with the limit of its category."""

    async def execute(self, context: WorkflowContext) -> None:
        """Find out whether the amount is allowed."""
        expense: Expense = context.state
        limit = CATEGORY_LIMITS[expense.category]
        if expense.amount > limit:
            context.add("findings", f"{expense.category} is limited to {limit:.2f}")


class CheckBudget(BaseMachineStep):
    """Compare what the company paid before with its budget."""

    async def execute(self, context: WorkflowContext, records: Injected[Records]) -> None:
        """Find out whether the budget suffices."""
        expense: Expense = context.state
        left = BUDGET - Decimal(await records.paid_cents(tenant=context.tenant_id or "")) / 100
        if expense.amount > left:
            context.add("findings", f"{left:.2f} is left of the budget")


class CheckDuplicate(BaseMachineStep):
    """Look for a payment of the same amount for the same purpose."""

    async def execute(self, context: WorkflowContext, records: Injected[Records]) -> None:
        """Find out whether it was paid before."""
        expense: Expense = context.state
        paid = await records.was_paid(
            expense.employee, cents(expense.amount), expense.purpose, tenant=context.tenant_id or ""
        )
        if paid:
            context.add("findings", "the same amount was paid for the same purpose before")


class Assess(BaseMachineStep):
    """Wait for all checks; any finding sends the expense back to the employee."""

    async def execute(self, context: WorkflowContext) -> None:
        """Decide whether people are asked at all."""
        expense: Expense = context.state
        expense.blocked = bool(expense.findings)


class ManagerApproval(BaseHumanStep):
    """The employee's manager decides; of an employee without one, any manager."""

    title = "Approve {amount} for {employee}: {purpose}"
    form_schema = Decision
    candidate_groups = ("managers",)
    into = "manager"

    async def get_assignee(self, context: WorkflowContext, directory: Injected[UserDirectory]) -> str | None:
        """The manager of the employee."""
        return await directory.manager_of(context.state.employee)


class FinanceApproval(BaseHumanStep):
    """Somebody of finance decides; about an expense of finance itself, the employee's manager."""

    title = "Release {amount} for {employee}: {purpose}"
    form_schema = Decision
    candidate_groups = ("finance",)
    into = "finance"
    priority = 80

    async def get_assignee(self, context: WorkflowContext, directory: Injected[UserDirectory]) -> str | None:
        """Nobody in particular, unless the employee is of finance."""
        employee = await directory.find(context.state.employee)
        return employee.manager if employee is not None and "finance" in employee.groups else None


class Revise(BaseHumanStep):
    """The employee changes the expense, and hears why."""

    title = "Revise your expense: {purpose}"
    form_schema = ExpenseRequest
    assignee = "{employee}"

    async def get_description(self, context: WorkflowContext) -> str:
        """What the checks found, or what the one wrote who sent it back."""
        expense: Expense = context.state
        notes = [decision.note for decision in (expense.manager, expense.finance) if decision is not None]
        return "; ".join([*expense.findings, *filter(None, notes)])


class Pay(BaseMachineStep):
    """Record the payment: once, also when this code runs again after a crash. It is taken back if no receipt can be written."""

    retry = RetryPolicy(max_attempts=5)
    attempt_timeout = timedelta(seconds=30)

    async def execute(self, context: WorkflowContext, records: Injected[Records]) -> dict[str, Any]:
        """Write the payment under the key of this step execution."""
        expense: Expense = context.state
        payment = {
            "payee": expense.employee,
            "amount_cents": cents(expense.amount),
            "purpose": expense.purpose,
        }
        is_new = await records.write(payments, context, payment)
        expense.outcome = "paid"
        return {"payment": context.idempotency_key, "recorded_before": not is_new}

    async def compensate(self, context: WorkflowContext, records: Injected[Records]) -> dict[str, Any]:
        """Remove the payment; it may also be that it was never made."""
        undoing = context.undoing
        was_paid = undoing is not None and await records.take_back(payments, undoing.idempotency_key)
        context.state.outcome = ""
        return {"taken_back": was_paid}


class WriteReceipt(BaseMachineStep):
    """Write the receipt; writing it again replaces it by the same."""

    retry = RetryPolicy(max_attempts=5, non_retryable=("FileExistsError", "NotADirectoryError", "PermissionError"))

    async def execute(self, context: WorkflowContext, archive: Injected[Archive]) -> None:
        """Render the receipt into the archive."""
        expense: Expense = context.state
        decided = {"manager_approval": expense.manager, "finance_approval": expense.finance}
        people = {record.execution.step_name: record.execution.completed_by for record in await context.history()}
        approvers = [people[step] or "" for step, decision in decided.items() if decision is not None]
        lines = [
            f"Receipt for expense {context.instance_id}",
            "",
            f"Paid to      {expense.employee}",
            f"Amount       {expense.amount:.2f} EUR",
            f"Purpose      {expense.purpose} ({expense.category})",
            f"Approved by  {', '.join(approvers)}",
            f"Rounds       {expense.round}",
        ]
        text = "\n".join(lines) + "\n"
        expense.receipt = await archive.write(context.tenant_id or "", context.instance_id, "receipt.txt", text)


class Reject(BaseMachineStep):
    """Note that it was rejected."""

    async def execute(self, context: WorkflowContext) -> None:
        """Set the outcome."""
        context.state.outcome = "rejected"


def cents(amount: Decimal) -> int:
    """An amount in cents."""
    return int(amount * 100)


class ExpenseApproval(Workflow[Expense]):
    """Checks in parallel, the manager, finance above 1000.00, a way back, payment and receipt."""

    __workflow_name__ = "expense_approval"
    __input_schema__ = ExpenseRequest
    __reducers__ = {"findings": "append"}

    submit = Submit()
    check_policy = CheckPolicy()
    check_budget = CheckBudget()
    check_duplicate = CheckDuplicate()
    assess = Assess()
    manager_approval = ManagerApproval()
    finance_approval = FinanceApproval()
    revise = Revise()
    pay = Pay()
    write_receipt = WriteReceipt()
    reject = Reject()

    __edges__ = [
        (submit, check_policy),
        (submit, check_budget),
        (submit, check_duplicate),
        (check_policy, assess),
        (check_budget, assess),
        (check_duplicate, assess),
        Edge(assess, revise, "blocked"),
        Edge(assess, manager_approval, default=True),
        Edge(manager_approval, pay, f"manager.decision == 'approve' and amount <= {FINANCE_LIMIT}"),
        Edge(manager_approval, finance_approval, f"manager.decision == 'approve' and amount > {FINANCE_LIMIT}"),
        Edge(manager_approval, revise, "manager.decision == 'revise'"),
        Edge(manager_approval, reject, "manager.decision == 'reject'"),
        Edge(finance_approval, pay, "finance.decision == 'approve'"),
        Edge(finance_approval, revise, "finance.decision == 'revise'"),
        Edge(finance_approval, reject, "finance.decision == 'reject'"),
        (revise, submit),
        (pay, write_receipt),
    ]
