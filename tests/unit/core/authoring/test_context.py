"""What a step can do with its context."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from workflows_core.authoring.context import WorkflowContext
from workflows_core.authoring.surroundings import ContextServices, DetachedContextError, NoStateTypeError
from workflows_core.domain.state import LastExecution
from workflows_core.domain.typed_state import TypedStateError
from workflows_core.domain.types import StepStatus
from workflows_core.errors import PayloadError
from workflows_core.ports.queries import ExecutionRecord

NOW = datetime(2030, 1, 1, tzinfo=UTC)
INSTANCE = UUID(int=7)


class Expense(msgspec.Struct):
    amount: int
    tags: list[str] = []
    note: str | None = None


class Optional(msgspec.Struct):
    note: str | msgspec.UnsetType = msgspec.UNSET


class Answers(ContextServices):
    async def history(self, context: WorkflowContext) -> Sequence[ExecutionRecord]:
        return []

    def webhook_token(self, context: WorkflowContext, step: str) -> str:
        return f"token-{step}"

    def webhook_url(self, context: WorkflowContext, step: str) -> str:
        return f"https://example.org/{step}"

    def is_cancelled(self, context: WorkflowContext) -> bool:
        return context.current_step == "stopped"

    def heartbeat(self, context: WorkflowContext) -> None:
        return


def test_data_are_read_set_and_deleted() -> None:
    context = WorkflowContext.for_testing({"a": 1})
    context.set("b", [1])
    context.delete("a")
    context.delete("never there")
    assert (context.get("a"), context.get("a", 5), context.get("b")) == (None, 5, [1])
    assert context.collect() == {"b": [1]}


def test_for_testing_copies_the_data() -> None:
    data = {"a": 1}
    WorkflowContext.for_testing(data).set("a", 2)
    assert data == {"a": 1}


@pytest.mark.parametrize("method", ["set", "add"])
def test_what_cannot_be_stored_is_refused_at_once_and_named(method: str) -> None:
    context = WorkflowContext.for_testing()
    with pytest.raises(PayloadError, match="'callback'"):
        getattr(context, method)("callback", {"inner": object()})
    assert context.data == {}
    assert context.additions == []


def test_additions_are_collected_in_order() -> None:
    context = WorkflowContext.for_testing()
    context.add("total", 1)
    context.add("total", 2)
    assert context.additions == [("total", 1), ("total", 2)]
    assert context.data == {}


def test_metadata_cannot_be_changed() -> None:
    context = WorkflowContext.for_testing(metadata={"source": "mail"})
    with pytest.raises(TypeError):
        context.metadata["source"] = "web"  # type: ignore[index]


def test_the_workflow_id_follows_from_name_and_version() -> None:
    first = WorkflowContext.for_testing(workflow_name="a", workflow_version="1")
    again = WorkflowContext.for_testing(workflow_name="a", workflow_version="1")
    other = WorkflowContext.for_testing(workflow_name="a", workflow_version="2")
    assert first.workflow_id == again.workflow_id != other.workflow_id


def test_the_idempotency_key_stays_the_same_over_attempts() -> None:
    keys = {
        WorkflowContext.for_testing(instance_id=INSTANCE, execution=4, attempt=attempt).idempotency_key
        for attempt in (1, 2, 3)
    }
    assert keys == {f"{INSTANCE}/4"}


def test_the_step_history_holds_the_last_execution_of_each_step_in_order() -> None:
    last = {
        "b": LastExecution(5, StepStatus.FAILED, 2, NOW, NOW),
        "a": LastExecution(2, StepStatus.SUCCEEDED, 1, NOW, None),
    }
    context = WorkflowContext.for_testing(last=last)
    assert [(entry.step_name, entry.status) for entry in context.step_history] == [
        ("a", StepStatus.SUCCEEDED),
        ("b", StepStatus.FAILED),
    ]
    assert context.step_history[0].completed_at is None
    assert (context.visits_of("b"), context.visits_of("never entered")) == (2, 0)
    assert WorkflowContext.for_testing().step_history == []


async def test_an_engine_answers_for_history_and_webhooks() -> None:
    context = WorkflowContext.for_testing(services=Answers())
    assert await context.history() == []
    assert context.webhook_url("pay") == "https://example.org/pay"
    assert context.webhook_token("pay") == "token-pay"
    assert not context.cancelled
    assert context.with_step("stopped").cancelled


async def test_a_context_without_an_engine_says_so() -> None:
    context = WorkflowContext.for_testing()
    assert context.cancelled is False
    for ask in (context.webhook_url, context.webhook_token):
        with pytest.raises(DetachedContextError, match="needs an engine"):
            ask("pay")
    with pytest.raises(DetachedContextError, match=r"context\.history"):
        await context.history()


def test_another_step_sees_the_same_data() -> None:
    context = WorkflowContext.for_testing(current_step="a")
    other = context.with_step("b")
    other.set("seen", 1)
    other.add("total", 1)
    assert (context.current_step, other.current_step) == ("a", "b")
    assert context.data is other.data
    assert context.additions == [("total", 1)]


def test_the_inside_of_a_group_has_its_own_data_and_shares_additions() -> None:
    context = WorkflowContext.for_testing({"list": [1]})
    inner = context.inside("group")
    inner.data["list"].append(2)
    inner.add("total", 1)
    assert context.data == {"list": [1]}
    assert context.additions == [("total", 1)]


# Typed state


def test_the_typed_state_is_made_of_the_data_and_its_changes_are_collected() -> None:
    context = WorkflowContext.for_testing({"amount": 3, "forms": {}}, state_type=Expense)
    context.state.amount += 1
    context.state.tags.append("travel")
    assert context.collect() == {"amount": 4, "tags": ["travel"], "forms": {}}
    assert context.data == {"amount": 3, "forms": {}}


def test_a_state_that_was_only_read_changes_nothing() -> None:
    context = WorkflowContext.for_testing({"amount": 3}, state_type=Expense)
    assert context.state.note is None
    context.set("amount", 9)
    assert context.collect() == {"amount": 9}


def test_a_state_can_be_replaced_as_a_whole() -> None:
    context = WorkflowContext.for_testing(state_type=Expense)
    context.state = Expense(5, note="new")
    assert context.collect() == {"amount": 5, "tags": [], "note": "new"}
    with pytest.raises(TypeError, match="is a Expense"):
        context.state = 5


def test_a_field_that_is_left_out_of_the_encoding_is_removed_from_the_data() -> None:
    context = WorkflowContext.for_testing({"note": "old", "other": 1}, state_type=Optional)
    context.state.note = msgspec.UNSET
    assert context.collect() == {"other": 1}


def test_a_dataclass_is_a_state_too() -> None:
    @dataclass
    class Order:
        items: list[str] = field(default_factory=list)

    context = WorkflowContext.for_testing({"items": ["a"]}, state_type=Order)
    context.state.items.append("b")
    assert context.collect() == {"items": ["a", "b"]}


def test_the_inside_of_a_group_sees_changes_of_the_state_but_not_the_object() -> None:
    context = WorkflowContext.for_testing({"amount": 3}, state_type=Expense)
    context.state.amount = 4
    inner = context.inside("group")
    inner.state.amount = 5
    assert context.collect()["amount"] == 4
    assert inner.collect()["amount"] == 5


def test_data_that_do_not_fit_the_state_are_named() -> None:
    context = WorkflowContext.for_testing({"amount": "many"}, state_type=Expense)
    with pytest.raises(TypedStateError, match="amount"):
        _ = context.state


def test_a_workflow_without_a_state_type_says_so() -> None:
    context = WorkflowContext.for_testing()
    with pytest.raises(NoStateTypeError, match="declares no state type"):
        _ = context.state
    with pytest.raises(NoStateTypeError):
        context.state = Expense(1)


@pytest.mark.parametrize("error", [DetachedContextError("context.history()"), NoStateTypeError("expense")])
def test_errors_survive_pickling(error: Any) -> None:
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_context_shows_where_it_is() -> None:
    assert "step='review'" in repr(WorkflowContext.for_testing(current_step="review"))
