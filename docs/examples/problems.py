"""A definition with several mistakes: all of them are reported at once."""

from __future__ import annotations

from workflows_core import BaseHumanStep, BaseMachineStep, InvalidDefinitionError, Workflow, WorkflowContext


class Check(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None: ...


class Approve(BaseHumanStep):
    title = "Approve {amount}"


class Archive(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None: ...


class Expense(Workflow):
    """Reimburses an expense."""

    __steps__ = [Check, Approve, Archive]
    __edges__ = [
        (Check, Approve, "amount >"),
        (Approve, "pay"),
    ]


if __name__ == "__main__":
    try:
        Expense.get_definition()
    except InvalidDefinitionError as error:
        print(error)
