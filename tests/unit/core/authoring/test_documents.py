"""Workflows as data, and back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from workflows_core.authoring.catalogue import StepCatalogue
from workflows_core.authoring.context import WorkflowContext
from workflows_core.authoring.decorators import human_task
from workflows_core.authoring.definition import WorkflowDefinition
from workflows_core.authoring.document_types import document_schema
from workflows_core.authoring.documents import definition_from_document
from workflows_core.authoring.edge import Edge
from workflows_core.authoring.gateway import ExclusiveGateway, InclusiveGateway, ParallelGateway
from workflows_core.authoring.groups import ConditionalGroup, ForEach, ParallelGroup, RaceGroup, SequentialGroup
from workflows_core.authoring.human import BaseHumanStep
from workflows_core.authoring.signal import WaitForSignal
from workflows_core.authoring.step import BaseMachineStep
from workflows_core.authoring.timer import DelayStep, ScheduledStep
from workflows_core.authoring.webhook import WebhookStep
from workflows_core.domain.forms import validate_document
from workflows_core.domain.problems import Problem
from workflows_core.domain.throttles import ConcurrencyLimit, RateLimit
from workflows_core.errors import InvalidDefinitionError

catalogue = StepCatalogue()


@catalogue.step("say")
async def say(context: WorkflowContext, text: str = "hello") -> str:
    return text


def words(name: str, **attributes: Any) -> Any:
    return catalogue.create("say", {"text": name}, name=name, **attributes)


@human_task(title="Documented")
async def documented(context: WorkflowContext) -> None:
    """Only for readers."""


class InCode(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None: ...


class Handled(BaseHumanStep):
    async def execute(self, context: WorkflowContext) -> None: ...


def alone(step: Any, **arguments: Any) -> WorkflowDefinition:
    return WorkflowDefinition("test", steps=[step], **arguments)


def problems_of(document: Any) -> dict[str, Problem]:
    with pytest.raises(InvalidDefinitionError) as caught:
        definition_from_document(document, catalogue)
    return {problem.code: problem for problem in caught.value.problems if isinstance(problem, Problem)}


def one(**step: Any) -> dict[str, Any]:
    return {"name": "test", "steps": [{"name": "it", **step}]}


@pytest.mark.parametrize(
    "definition",
    [
        alone(words("a", queue="q", description="d", summary="s", join="all", terminal="instance")),
        alone(words("a", terminal=True)),
        alone(words("a", priority=-3), queue="mail", priority=7),
        alone(words("a", queue="default"), queue="mail"),
        alone(words("a"), concurrency=ConcurrencyLimit(1, key="k", name="n")),
        alone(words("a", concurrency=3, rate=RateLimit(2, timedelta(seconds=1.5), key="k", name="n"))),
        alone(ForEach("items", words("a", concurrency=ConcurrencyLimit(1, key="k")), concurrency=2)),
        alone(
            BaseHumanStep(
                title="t",
                description="d",
                form_schema={"type": "object"},
                assignee="a",
                candidate_users=["u"],
                candidate_groups=["g"],
                due=timedelta(days=2),
                reminder=timedelta(hours=1),
                priority=3,
                into="form",
            )
        ),
        alone(documented),
        alone(DelayStep(seconds=1.5)),
        alone(ScheduledStep("open", datetime(2030, 1, 1, tzinfo=UTC))),
        alone(WebhookStep(payload_schema={"type": "object"}, into="payload")),
        alone(WaitForSignal(signal="go", payload_schema={"type": "object"}, into="payload")),
        alone(WaitForSignal()),
        alone(SequentialGroup(words("a"), words("b"), words("c"), outputs={"x": "y"}, into="z")),
        alone(ParallelGroup(words("a"), words("b"), callback=words("c"))),
        alone(ParallelGroup(words("a"), words("b"))),
        alone(RaceGroup(words("a"), DelayStep("late", seconds=3))),
        alone(ConditionalGroup("kind", {"x": words("a"), "y": SequentialGroup(words("b"), words("c"))})),
        alone(ForEach("items", ParallelGroup(words("a"), words("b")), item="i", index="n", concurrency=3, into="all")),
        alone(words("a"), reducers={"total": "sum"}, input_schema={"type": "object"}, description="d", version="2"),
        WorkflowDefinition(
            "routes",
            steps=[
                words("a", next=["split", "choose"]),
                ParallelGateway("split"),
                InclusiveGateway("choose"),
                ExclusiveGateway("again"),
                words("b", join=2),
                words("alarm"),
                words("report", join="auto"),
                words("end", join="any"),
            ],
            edges=[
                ("split", "b"),
                ("split", "end"),
                ("choose", "b", "x > 1"),
                Edge("choose", "again", default=True),
                ("again", "a", "x > 2"),
                Edge("again", "end", default=True),
                ("b", "end"),
                Edge("b", "alarm", on="failure"),
                Edge("b", "report", on="timeout"),
            ],
        ),
    ],
    ids=lambda definition: definition.initial_step,
)
def test_a_definition_comes_back_from_its_document(definition: WorkflowDefinition) -> None:
    document = definition.to_document()
    assert validate_document(document_schema(), document) == []
    for form in (document, json.dumps(document), json.dumps(document).encode()):
        again = definition_from_document(form, catalogue)
        assert again.graph == definition.graph
        assert again.graph.hash == definition.graph.hash


@pytest.mark.parametrize(
    ("definition", "where"),
    [
        (alone(InCode()), "step 'in_code'"),
        (alone(Handled(name="ask")), "step 'ask'"),
        (alone(DelayStep("wait", lambda context: timedelta())), "step 'wait'"),
        (alone(SequentialGroup(words("a"), InCode())), "step 'in_code'"),
        (alone(ConditionalGroup(lambda context: "x", {"x": words("a")}, name="choice")), "step 'choice'"),
        (alone(ForEach(lambda context: [], words("a"), name="each")), "step 'each'"),
        (
            WorkflowDefinition("test", steps=[words("a"), words("b")], edges=[("a", "b", lambda context: True)]),
            "edge 'a' → 'b'",
        ),
    ],
)
def test_what_needs_code_has_no_document(definition: WorkflowDefinition, where: str) -> None:
    with pytest.raises(InvalidDefinitionError) as caught:
        definition.to_document()
    assert [(problem.code, problem.where) for problem in caught.value.problems if isinstance(problem, Problem)] == [
        ("needs_code", where)
    ]


def test_a_typed_state_has_no_document() -> None:
    import msgspec

    class State(msgspec.Struct):
        x: int = 0

    with pytest.raises(InvalidDefinitionError, match="its state has a type"):
        alone(words("a"), state=State).to_document()


async def test_a_document_runs_the_code_of_the_catalogue() -> None:
    document = one(type="machine", catalogue="say", config={"text": "hi"})
    code = definition_from_document(document, catalogue).code["it"]
    assert code.execute is not None
    assert await code.execute(WorkflowContext.for_testing()) == "hi"


def test_a_document_without_catalogue_steps_needs_no_catalogue() -> None:
    assert definition_from_document(one(type="human", title="Ask")).graph.nodes["it"].step_type == "human"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"steps": []}, "name"),
        ({"name": "test"}, "steps"),
        (one(type="robot"), "robot"),
        (one(type="human", ti_tle="Ask"), "ti_tle"),
        (one(type="machine"), "catalogue"),
        (one(type="human", priority="high"), "priority"),
        ({"name": "test", "steps": [], "edges": [{"source": "a", "target": "b", "on": "suc_cess"}]}, "suc_cess"),
        ("{not json", "JSON"),
    ],
)
def test_a_document_of_another_shape_is_refused_with_the_place(document: Any, message: str) -> None:
    assert message in problems_of(document)["bad_document"].message


@pytest.mark.parametrize(
    ("step", "code", "message"),
    [
        ({"type": "machine", "catalogue": "sya"}, "bad_catalogue_step", "not in the catalogue"),
        ({"type": "machine", "catalogue": "say", "config": {"text": 5}}, "bad_catalogue_step", "/text"),
        ({"type": "timer", "until": "tomorrow"}, "bad_moment", "tomorrow"),
        ({"type": "timer", "until": "2030-01-01T00:00:00"}, "bad_duration", "waits for"),
        ({"type": "gateway", "next": "nowhere"}, "unknown_step", "nowhere"),
        ({"type": "sequential", "steps": []}, "no_entry", "entry"),
    ],
)
def test_what_is_wrong_in_a_document_is_named(step: Any, code: str, message: str) -> None:
    assert message in problems_of(one(**step))[code].message


def test_everything_that_is_wrong_is_listed_at_once() -> None:
    document = {
        "name": "test",
        "version": "first",
        "steps": [{"type": "machine", "name": "a", "catalogue": "sya"}],
        "edges": [{"source": "a", "target": "b"}],
    }
    assert set(problems_of(document)) == {"bad_catalogue_step", "bad_version", "unknown_step"}
