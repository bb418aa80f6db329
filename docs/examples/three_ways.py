"""One workflow, written three times: as a class, with decorators, and as data."""

from __future__ import annotations

from workflows_core import (
    BaseHumanStep,
    Edge,
    StepCatalogue,
    Workflow,
    WorkflowContext,
    WorkflowDefinition,
    human_task,
    workflow,
)
from workflows_core.authoring.documents import definition_from_document

catalogue = StepCatalogue()


@catalogue.step("transfer")
async def transfer(context: WorkflowContext, account: str) -> str:
    """Transfer the amount."""
    return f"{context.get('amount')} to {account}"


@catalogue.step("tell")
async def tell(context: WorkflowContext, text: str) -> str:
    """Tell the employee."""
    return text


FORM = {"type": "object", "properties": {"approved": {"type": "boolean"}}, "required": ["approved"]}

pay = catalogue.create("transfer", {"account": "travel"}, name="pay")
decline = catalogue.create("tell", {"text": "Sorry."}, name="decline")


class Expense(Workflow):
    """Reimburses an expense."""

    class Approve(BaseHumanStep):
        title = "Approve {amount}"
        form_schema = FORM
        candidate_groups = ("managers",)

    __steps__ = [Approve, pay, decline]
    __edges__ = [
        (Approve, pay, "approved"),
        Edge(Approve, decline, default=True),
    ]


@workflow(name="expense", edges=[("approve", "pay", "approved"), Edge("approve", "decline", default=True)])
class Reimbursement:
    """Reimburses an expense."""

    @human_task(title="Approve {amount}", form_schema=FORM, candidate_groups=["managers"])
    async def approve(self, context: WorkflowContext) -> None: ...

    pay = pay
    decline = decline


DOCUMENT = {
    "name": "expense",
    "version": "1.0.0",
    "description": "Reimburses an expense.",
    "steps": [
        {
            "type": "human",
            "name": "approve",
            "title": "Approve {amount}",
            "form_schema": FORM,
            "candidate_groups": ["managers"],
        },
        {"type": "machine", "name": "pay", "catalogue": "transfer", "config": {"account": "travel"}},
        {"type": "machine", "name": "decline", "catalogue": "tell", "config": {"text": "Sorry."}},
    ],
    "edges": [
        {"source": "approve", "target": "pay", "condition": "approved"},
        {"source": "approve", "target": "decline", "default": True},
    ],
}


def main() -> None:
    as_class: WorkflowDefinition = Expense.get_definition()
    as_methods: WorkflowDefinition = Reimbursement.get_definition()  # type: ignore[attr-defined]
    as_data: WorkflowDefinition = definition_from_document(DOCUMENT, catalogue)

    print("one graph:", as_class.graph.hash == as_methods.graph.hash == as_data.graph.hash)
    print("back to data:", as_class.to_document()["steps"][1])
    print(as_data.to_mermaid())


if __name__ == "__main__":
    main()
