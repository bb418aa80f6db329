"""Document review, written with decorators: each method is a step and names what follows.

Every reviewer gets a task at the same time; when all have answered, the majority decides: publish, or back to the author.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from workflows_core import ForEach, WorkflowContext, human_task, step, workflow
from workflows_reference.accounts.directory import UserDirectory
from workflows_reference.archive import Archive

__all__ = ["document_review"]

Text = Annotated[str, Meta(min_length=1, max_length=100_000)]


class Document(msgspec.Struct, forbid_unknown_fields=True):
    """What an author hands in."""

    title: Annotated[str, Meta(min_length=1, max_length=200)]
    text: Text
    reviewers: Annotated[list[str], Meta(min_length=1, max_length=20)] = msgspec.field(
        default_factory=lambda: ["dan", "erin"]
    )


class Review(msgspec.Struct, forbid_unknown_fields=True):
    """The form of a reviewer."""

    approved: bool
    remarks: Annotated[str, Meta(max_length=5000)] = ""


class Revision(msgspec.Struct, forbid_unknown_fields=True):
    """The form of the author, where reviewers wanted changes."""

    text: Text


def document_review(*, directory: UserDirectory, archive: Archive) -> type[Any]:
    """The workflow, with what its steps need."""

    @workflow(name="document_review", input_schema=Document)
    class DocumentReview:
        """Reviewers in parallel, a decision of the majority, publish or revise."""

        @step(initial=True, next="collect_reviews")
        async def submit(self, context: WorkflowContext) -> dict[str, int]:
            """Begin a draft and find out who reviews it."""
            reviewers = context.data.setdefault("reviewers", ["dan", "erin"])
            for name in reviewers:
                user = await directory.find(name)
                if user is None or user.tenant_id != context.tenant_id:
                    msg = f"there is no reviewer {name!r}; start the review again with other reviewers"
                    raise LookupError(msg)
            context.data.setdefault("author", context.user_id)
            context.set("draft", context.get("draft", 0) + 1)
            return {"words": len(context.get("text").split())}

        @human_task(title="Review “{title}”, draft {draft}", form_schema=Review, assignee="{reviewer}")
        async def review(self, context: WorkflowContext) -> dict[str, Any]:
            """Read the draft and say whether it can be published."""
            form = context.get("forms")["review"]
            return {
                "reviewer": context.get("reviewer"),
                "approved": form["approved"],
                "remarks": form.get("remarks", ""),
            }

        collect_reviews = ForEach(
            "reviewers", review, item="reviewer", into="reviews", name="collect_reviews", next="decide"
        )

        @step
        async def decide(self, context: WorkflowContext) -> Literal["publish", "revise"]:
            """Count the reviews; a tie is no majority."""
            reviews = context.get("reviews")
            approvals = sum(review["approved"] for review in reviews)
            remarks = [f"{review['reviewer']}: {review['remarks']}" for review in reviews if review["remarks"]]
            context.set("remarks", remarks)
            return "publish" if approvals * 2 > len(reviews) else "revise"

        @human_task(
            title="Revise “{title}”",
            description="What the reviewers said: {remarks}",
            form_schema=Revision,
            assignee="{author}",
            next="submit",
        )
        async def revise(self, context: WorkflowContext) -> None:
            """Change the text as the reviewers wished."""

        @step(terminal=True)
        async def publish(self, context: WorkflowContext) -> None:
            """Write the document into the archive."""
            document = f"# {context.get('title')}\n\n{context.get('text')}\n"
            path = await archive.write(context.tenant_id or "", context.instance_id, "document.md", document)
            context.set("published", path)

    return DocumentReview
