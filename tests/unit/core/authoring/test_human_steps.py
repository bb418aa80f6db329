"""Human steps: what is asked, of whom, and what happens with the answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from workflows_core.authoring.code import StepCode
from workflows_core.authoring.context import WorkflowContext
from workflows_core.authoring.definition import WorkflowDefinition
from workflows_core.authoring.human import BaseHumanStep
from workflows_core.domain.commands import Assignment
from workflows_core.domain.graph import HumanNode
from workflows_core.domain.problems import Problem
from workflows_core.domain.types import Outcome, StepType
from workflows_core.errors import InvalidDefinitionError, StepExecutionError

DUE = datetime(2030, 1, 1, tzinfo=UTC)


class Answer(msgspec.Struct):
    approved: bool
    note: str = ""


def compiled(step: Any) -> tuple[HumanNode, StepCode]:
    definition = WorkflowDefinition("test", steps={"review": step})
    kind = definition.graph.nodes["review"].kind
    assert isinstance(kind, HumanNode)
    return kind, definition.code["review"]


def problems_of(step: Any) -> dict[str, Problem]:
    with pytest.raises(InvalidDefinitionError) as caught:
        WorkflowDefinition("test", steps={"review": step})
    return {problem.code: problem for problem in caught.value.problems if isinstance(problem, Problem)}


def test_a_human_step_is_described_by_class_attributes() -> None:
    class Review(BaseHumanStep):
        title = "Review {amount}"
        description = "Look at {amount}."
        form_schema = {"type": "object"}
        assignee = "{boss}"
        candidate_users = ["ann"]
        candidate_groups = ("managers",)
        due = timedelta(days=2)
        reminder = timedelta(days=1)
        priority = 80
        into = "review"

    kind, code = compiled(Review)
    assert kind == HumanNode(
        title="Review {amount}",
        description="Look at {amount}.",
        form_schema={"type": "object"},
        assignee="{boss}",
        candidate_users=("ann",),
        candidate_groups=("managers",),
        due_s=172800.0,
        reminder_s=86400.0,
        priority=80,
        into="review",
    )
    assert (code.execute, code.prepare, code.validate_submission) == (None, None, None)


def test_arguments_of_the_constructor_do_the_same() -> None:
    step = BaseHumanStep(
        title="Review", form_schema=Answer, assignee="bob", due=timedelta(hours=1), priority=0, queue="people"
    )
    kind, _ = compiled(step)
    assert (kind.title, kind.assignee, kind.due_s, kind.priority) == ("Review", "bob", 3600.0, 0)
    assert kind.form_schema is not None
    assert kind.form_schema["required"] == ["approved"]


def test_any_object_that_says_it_is_human_is_a_human_step() -> None:
    class Duck:
        name = "duck"
        step_type = StepType.HUMAN
        title = "Quack"

    kind, _ = compiled(Duck())
    assert kind == HumanNode(title="Quack")


def test_a_handler_runs_after_the_completion() -> None:
    class Review(BaseHumanStep):
        def execute(self, context: WorkflowContext) -> str:
            return "handled"

    kind, code = compiled(Review())
    assert (kind.handler, kind.computed) == (True, False)
    assert code.execute is not None
    assert code.execute(WorkflowContext.for_testing()) == "handled"
    assert not code.is_async


async def test_a_step_with_on_success_alone_gets_the_form_as_its_result() -> None:
    class Review(BaseHumanStep):
        async def on_success(self, context: WorkflowContext, result: Any) -> None: ...

    kind, code = compiled(Review())
    assert kind.handler
    assert code.execute is not None
    assert code.is_async
    context = WorkflowContext.for_testing({"forms": {"review": {"ok": True}}}, current_step="review")
    assert await code.execute(context) == {"ok": True}
    assert BaseHumanStep().execute(context) == {"ok": True}


async def test_hooks_give_the_assignment_and_only_those_that_are_written_are_asked() -> None:
    class Review(BaseHumanStep):
        async def get_title(self, context: WorkflowContext) -> str:
            return f"Review {context.get('amount')}"

        def get_assignee_group(self, context: WorkflowContext) -> str:
            return "managers"

        def get_candidate_users(self, context: WorkflowContext) -> list[str]:
            return ["ann", "bob"]

        async def get_due_date(self, context: WorkflowContext) -> datetime:
            return DUE

        def get_assignee(self, context: WorkflowContext) -> None:
            return None

    kind, code = compiled(Review())
    assert (kind.computed, kind.handler) == (True, False)
    assert code.prepare is not None
    assert await code.prepare(WorkflowContext.for_testing({"amount": 5})) == Assignment(
        title="Review 5", candidate_groups=("managers",), candidate_users=("ann", "bob"), due_at=DUE
    )


async def test_every_hook_fills_its_own_field() -> None:
    class Review(BaseHumanStep):
        def get_description(self, context: WorkflowContext) -> str:
            return "text"

        def get_assignee(self, context: WorkflowContext) -> str:
            return "ann"

        def get_candidate_groups(self, context: WorkflowContext) -> list[str]:
            return ["a"]

        def get_reminder_date(self, context: WorkflowContext) -> datetime:
            return DUE

    _, code = compiled(Review())
    assert code.prepare is not None
    assert await code.prepare(WorkflowContext.for_testing()) == Assignment(
        description="text", assignee="ann", candidate_groups=("a",), reminder_at=DUE
    )


@pytest.mark.parametrize(
    ("hook", "answer", "wanted"),
    [
        ("get_title", 5, "text"),
        ("get_assignee_group", ["a"], "text"),
        ("get_candidate_users", "ann", "list of names"),
        ("get_candidate_groups", [1], "list of names"),
        ("get_due_date", datetime(2030, 1, 1), "time zone"),  # noqa: DTZ001 - that is the mistake
        ("get_reminder_date", timedelta(days=1), "time zone"),
    ],
)
async def test_a_hook_that_returns_the_wrong_thing_fails_its_step_and_is_named(
    hook: str, answer: Any, wanted: str
) -> None:
    step = type("Review", (BaseHumanStep,), {hook: lambda self, context: answer})()
    _, code = compiled(step)
    assert code.prepare is not None
    with pytest.raises(StepExecutionError, match=rf"'review': {hook} returned .*{wanted}"):
        await code.prepare(WorkflowContext.for_testing())


async def test_a_guard_is_asked_before_the_task_is_opened() -> None:
    class Review(BaseHumanStep):
        async def can_execute(self, context: WorkflowContext) -> bool:
            return bool(context.get("amount", 0) > 100)

    kind, code = compiled(Review())
    assert kind.computed
    assert code.can_execute is None
    assert code.prepare is not None
    assert await code.prepare(WorkflowContext.for_testing()) is Outcome.SKIPPED
    assert await code.prepare(WorkflowContext.for_testing({"amount": 500})) == Assignment()


def test_the_validation_of_a_form_is_known_if_it_is_written() -> None:
    class Review(BaseHumanStep):
        def validate_submission(self, context: WorkflowContext, data: Mapping[str, Any]) -> list[str]:
            return ["too late"]

    _, code = compiled(Review())
    assert code.validate_submission is not None
    assert code.validate_submission(WorkflowContext.for_testing(), {}) == ["too late"]


def test_the_default_hooks_say_what_the_attributes_say() -> None:
    context = WorkflowContext.for_testing()
    step = BaseHumanStep(title="t", description="d", assignee="a", candidate_users=["u"], candidate_groups=["g"])
    assert (step.get_title(context), step.get_description(context), step.get_assignee(context)) == ("t", "d", "a")
    assert (step.get_candidate_users(context), step.get_candidate_groups(context)) == (["u"], ["g"])
    assert step.get_assignee_group(context) is None
    assert step.get_due_date(context) is None
    assert step.get_reminder_date(context) is None
    assert step.validate_submission(context, {}) is None


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ({"due": 5}, "bad_type", "due is 5"),
        ({"reminder": "1h"}, "bad_type", "reminder is '1h'"),
        ({"candidate_users": "ann"}, "bad_type", "candidate_users is 'ann'"),
        ({"candidate_groups": [1]}, "bad_type", "candidate_groups is"),
        ({"candidate_groups": 5}, "bad_type", "candidate_groups is 5"),
        ({"form_schema": "form.json"}, "bad_schema", "'form.json'"),
        ({"form_schema": type("Odd", (), {})}, "bad_schema", "Odd"),
        ({"form_schema": {"type": "text"}}, "bad_schema", "form schema"),
        ({"title": 5}, "bad_type", "str"),
        ({"priority": 500}, "bad_priority", "500"),
    ],
)
def test_what_a_task_cannot_have_is_refused(arguments: dict[str, Any], code: str, message: str) -> None:
    problem = problems_of(BaseHumanStep(**arguments))[code]
    assert problem.where == "step 'review'"
    assert message in problem.message


def test_two_hooks_for_the_groups_are_refused() -> None:
    class Review(BaseHumanStep):
        def get_assignee_group(self, context: WorkflowContext) -> str:
            return "a"

        def get_candidate_groups(self, context: WorkflowContext) -> list[str]:
            return ["b"]

    assert "get_candidate_groups" in problems_of(Review())["two_sources"].mend
