"""Gateways, timers and webhook steps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from workflows_core.authoring.context import WorkflowContext
from workflows_core.authoring.definition import WorkflowDefinition
from workflows_core.authoring.edge import Edge
from workflows_core.authoring.gateway import BaseGateway, ExclusiveGateway, InclusiveGateway, ParallelGateway
from workflows_core.authoring.signal import WaitForSignal
from workflows_core.authoring.step import BaseMachineStep
from workflows_core.authoring.surroundings import ContextServices
from workflows_core.authoring.timer import DelayStep, ScheduledStep, TimerStep
from workflows_core.authoring.webhook import WebhookStep
from workflows_core.domain.graph import GatewayNode, SignalNode, TimerNode, WebhookNode
from workflows_core.domain.problems import Problem
from workflows_core.domain.types import Outcome
from workflows_core.errors import InvalidDefinitionError, StepExecutionError
from workflows_core.ports.queries import ExecutionRecord

MOMENT = datetime(2030, 1, 1, 9, tzinfo=UTC)
NAIVE = datetime(2030, 1, 1)  # noqa: DTZ001 - the mistake that is to be found


class Work(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None: ...


def compiled(step: Any, *edges: Any) -> WorkflowDefinition:
    steps = {"it": step, "yes": Work(), "no": Work()}
    return WorkflowDefinition("test", steps=steps, edges=edges or [("it", "yes"), ("it", "no")])


def problems_of(step: Any, *edges: Any) -> dict[str, Problem]:
    with pytest.raises(InvalidDefinitionError) as caught:
        compiled(step, *edges)
    return {problem.code: problem for problem in caught.value.problems if isinstance(problem, Problem)}


# Gateways


@pytest.mark.parametrize(
    ("gateway", "kind"),
    [
        (ExclusiveGateway(), "exclusive"),
        (InclusiveGateway(), "inclusive"),
        (BaseGateway(gateway_type="inclusive"), "inclusive"),
    ],
)
def test_a_gateway_without_code_looks_at_the_conditions_of_its_edges(gateway: Any, kind: Any) -> None:
    definition = compiled(gateway, ("it", "yes", "amount > 3"), Edge("it", "no", default=True))
    assert definition.graph.nodes["it"].kind == GatewayNode(kind)
    assert not any(edge.named for edge in definition.edges)
    assert definition.code["it"].execute is None


def test_a_parallel_gateway_takes_all_its_edges() -> None:
    assert compiled(ParallelGateway("split")).graph.nodes["it"].kind == GatewayNode("parallel")


@pytest.mark.parametrize("gateway_class", [ExclusiveGateway, InclusiveGateway])
def test_a_gateway_with_a_callable_chooses_by_name(gateway_class: Any) -> None:
    definition = compiled(gateway_class("choose", lambda context: "yes"))
    code = definition.code["it"]
    kind = definition.graph.nodes["it"].kind
    assert isinstance(kind, GatewayNode)
    assert kind.computed
    assert all(edge.named for edge in definition.edges)
    assert code.routes
    assert not code.is_async
    assert code.execute is not None
    assert code.execute(WorkflowContext.for_testing()) == "yes"


async def test_a_gateway_class_chooses_by_its_evaluate() -> None:
    class Choose(BaseGateway):
        gateway_type = "inclusive"

        async def evaluate(self, context: WorkflowContext) -> list[str]:
            return ["yes", "no"]

        async def on_success(self, context: WorkflowContext, result: Any) -> None: ...

    definition = compiled(Choose, ("it", "yes"), Edge("it", "no", default=True), Edge("it", "no", on="failure"))
    code = definition.code["it"]
    assert [edge.named for edge in definition.edges] == [True, False, False]
    assert code.is_async
    assert code.on_success is not None
    assert code.execute is not None
    assert await code.execute(WorkflowContext.for_testing()) == ["yes", "no"]


@pytest.mark.parametrize("following", ["yes", ["yes"]])
def test_what_follows_a_gateway_that_chooses_by_code_is_chosen(following: Any) -> None:
    gateway = ExclusiveGateway("it", lambda context: "yes", next=following)
    definition = WorkflowDefinition("test", steps={"it": gateway, "yes": Work()})
    assert [edge.named for edge in definition.edges] == [True]
    assert definition.code["it"].routes


def test_an_edge_of_a_gateway_that_chooses_by_code_has_no_condition() -> None:
    problem = problems_of(ExclusiveGateway("it", lambda context: "yes"), ("it", "yes", "amount > 3"), ("it", "no"))
    assert "chooses by code" in problem["ambiguous_condition"].message


def test_a_gateway_takes_no_expression() -> None:
    problem = problems_of(ExclusiveGateway("it", "amount > 3"))["bad_type"]  # type: ignore[arg-type]
    assert "edges" in problem.mend


def test_an_unknown_kind_of_gateway_is_refused() -> None:
    assert "'inclusive'" in problems_of(BaseGateway(gateway_type="some"))["bad_type"].mend  # type: ignore[arg-type]


def test_hooks_that_a_gateway_would_never_call_are_refused() -> None:
    class Quiet(ExclusiveGateway):
        async def on_success(self, context: WorkflowContext, result: Any) -> None: ...

    class Split(ParallelGateway):
        async def evaluate(self, context: WorkflowContext) -> str:
            return "yes"

    class Executes(ExclusiveGateway):
        async def execute(self, context: WorkflowContext) -> None: ...

    assert "on_success" in problems_of(Quiet())["hook_never_called"].message
    assert "evaluate" in problems_of(Split())["hook_never_called"].message
    assert "execute" in problems_of(Executes("it", lambda context: "yes"))["hook_never_called"].message


def test_the_default_evaluate_says_that_it_does_not_choose() -> None:
    with pytest.raises(StepExecutionError, match="conditions of its edges"):
        BaseGateway().evaluate(WorkflowContext.for_testing())


# Timers


@pytest.mark.parametrize(
    ("timer", "kind"),
    [
        (TimerStep("wait", timedelta(hours=1)), TimerNode(3600.0)),
        (DelayStep("wait", seconds=30), TimerNode(30.0)),
        (DelayStep(duration=timedelta(seconds=2)), TimerNode(2.0)),
        (DelayStep(), TimerNode()),
        (ScheduledStep("open", MOMENT), TimerNode(until="2030-01-01T09:00:00+00:00")),
        (type("Nightly", (TimerStep,), {"duration": timedelta(days=1)})(), TimerNode(86400.0)),
    ],
)
def test_durations_and_moments_that_are_known_need_no_code(timer: Any, kind: TimerNode) -> None:
    definition = compiled(timer)
    assert definition.graph.nodes["it"].kind == kind
    assert definition.code["it"].prepare is None


@pytest.mark.parametrize(
    ("timer", "delay"),
    [
        (TimerStep("wait", lambda context: timedelta(seconds=context.get("pause"))), timedelta(seconds=5)),
        (ScheduledStep("open", lambda context: MOMENT), MOMENT),
    ],
)
async def test_a_callable_gives_the_duration_or_the_moment(timer: Any, delay: Any) -> None:
    definition = compiled(timer)
    assert definition.graph.nodes["it"].kind == TimerNode(computed=True)
    prepare = definition.code["it"].prepare
    assert prepare is not None
    context = WorkflowContext.for_testing({"pause": 5})
    assert await prepare(context) == delay
    assert timer.get_delay(context) == delay


async def test_a_timer_class_computes_its_delay() -> None:
    class Wait(TimerStep):
        async def get_delay(self, context: WorkflowContext) -> timedelta:
            return timedelta(seconds=1)

    prepare = compiled(Wait).code["it"].prepare
    assert prepare is not None
    assert await prepare(WorkflowContext.for_testing()) == timedelta(seconds=1)


async def test_the_guard_of_a_timer_is_asked_before_the_wait() -> None:
    class Wait(DelayStep):
        seconds = 3.0

        def can_execute(self, context: WorkflowContext) -> bool:
            return "go" in context.data

    definition = compiled(Wait)
    assert definition.graph.nodes["it"].kind == TimerNode(computed=True)
    prepare = definition.code["it"].prepare
    assert prepare is not None
    assert await prepare(WorkflowContext.for_testing()) is Outcome.SKIPPED
    assert await prepare(WorkflowContext.for_testing({"go": 1})) == timedelta(seconds=3)


async def test_a_delay_of_the_wrong_type_fails_the_step() -> None:
    prepare = compiled(TimerStep("wait", lambda context: NAIVE)).code["it"].prepare
    assert prepare is not None
    with pytest.raises(StepExecutionError, match="time zone"):
        await prepare(WorkflowContext.for_testing())


@pytest.mark.parametrize("timer", [TimerStep("wait"), TimerStep("wait", 5), ScheduledStep("open", NAIVE)])  # type: ignore[arg-type]
def test_a_timer_without_a_duration_or_moment_is_refused(timer: Any) -> None:
    assert "timedelta" in problems_of(timer)["bad_duration"].mend


def test_a_negative_duration_is_refused() -> None:
    assert "bad_duration" in problems_of(DelayStep(seconds=-1))


def test_a_known_duration_is_what_get_delay_says() -> None:
    assert TimerStep("wait", timedelta(seconds=4)).get_delay(WorkflowContext.for_testing()) == timedelta(seconds=4)


def test_hooks_that_a_timer_would_never_call_are_refused() -> None:
    class Wait(DelayStep):
        async def on_failure(self, context: WorkflowContext, error: Exception) -> None: ...

    class Busy(DelayStep):
        async def on_success(self, context: WorkflowContext, result: Any) -> None: ...

    assert "on_failure" in problems_of(Wait())["hook_never_called"].message
    assert "on_success" in problems_of(Busy())["hook_never_called"].message


# Webhooks


def test_a_webhook_step_waits_for_a_payload() -> None:
    class Payload(msgspec.Struct):
        paid: bool

    kind = compiled(WebhookStep(payload_schema=Payload, into="payment")).graph.nodes["it"].kind
    assert isinstance(kind, WebhookNode)
    assert kind.into == "payment"
    assert kind.payload_schema is not None
    assert kind.payload_schema["required"] == ["paid"]


def test_a_webhook_step_runs_no_code() -> None:
    class Called(WebhookStep):
        async def execute(self, context: WorkflowContext) -> None: ...

    assert "execute of a webhook step" in problems_of(Called())["hook_never_called"].message


# Signals


def test_a_signal_step_waits_for_a_signal_of_its_own_name_or_of_another() -> None:
    class Payload(msgspec.Struct):
        paid: bool

    assert compiled(WaitForSignal()).graph.nodes["it"].kind == SignalNode("it")
    kind = compiled(WaitForSignal(signal="paid", payload_schema=Payload, into="payment")).graph.nodes["it"].kind
    assert isinstance(kind, SignalNode)
    assert (kind.signal, kind.into) == ("paid", "payment")
    assert kind.payload_schema is not None
    assert kind.payload_schema["required"] == ["paid"]


def test_a_signal_step_runs_no_code() -> None:
    class Called(WaitForSignal):
        async def execute(self, context: WorkflowContext) -> None: ...

    assert "execute of a signal step" in problems_of(Called())["hook_never_called"].message


def test_the_name_of_a_signal_is_text() -> None:
    assert "signal is 3" in problems_of(WaitForSignal(signal=3))["bad_type"].message  # type: ignore[arg-type]


def test_a_webhook_step_knows_its_address_through_the_context() -> None:
    class Services(ContextServices):
        async def history(self, context: WorkflowContext) -> Sequence[ExecutionRecord]:
            return ()

        def webhook_token(self, context: WorkflowContext, step: str) -> str:
            return f"token-{step}"

        def webhook_url(self, context: WorkflowContext, step: str) -> str:
            return f"/{step}"

        def is_cancelled(self, context: WorkflowContext) -> bool:
            return False

        def heartbeat(self, context: WorkflowContext) -> None:
            return

    context = WorkflowContext.for_testing(services=Services())
    hook = WebhookStep(name="payment")
    assert (hook.get_callback_token(context), hook.get_callback_url(context)) == ("token-payment", "/payment")
