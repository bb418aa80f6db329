"""Routes by which instances that have failed go on, or are given up."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx import AsyncClient
from tests.integration.litestar.world import API, DATABASES, World, is_problem

from workflows_core import (
    BaseMachineStep,
    ForEach,
    RetryPolicy,
    SequentialGroup,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowRegistry,
)

pytestmark = DATABASES

LETTERS = f"{API}/dead-letters"


class Prepare(BaseMachineStep):
    name = "prepare"

    async def execute(self, context: WorkflowContext) -> None:
        context.data["prepared"] = context.get("prepared", 0) + 1


class Weld(BaseMachineStep):
    """Fails as long as nobody has given it gas."""

    name = "weld"
    retry = RetryPolicy(max_attempts=2, initial_delay_s=0)

    async def execute(self, context: WorkflowContext) -> None:
        if not context.get("gas"):
            raise RuntimeError("no gas")


class Cut(BaseMachineStep):
    """Makes each sheet a little shorter."""

    name = "cut"

    async def execute(self, context: WorkflowContext) -> None:
        context.data["cuts"] = context.get("cuts", 0) + 1


class Press(BaseMachineStep):
    """Takes no sheet that is thick and was cut but once."""

    name = "press"

    async def execute(self, context: WorkflowContext) -> str:
        if context.get("item") == "thick" and context.get("cuts") == 1:
            raise RuntimeError("too thick")
        return f"{context.get('item')} {context.get('cuts')}"


class Book(BaseMachineStep):
    """Can be undone if somebody answers at the hotel."""

    name = "book"

    async def execute(self, context: WorkflowContext) -> None:
        """Nothing to do here."""

    async def compensate(self, context: WorkflowContext) -> None:
        if not context.get("hotel_answers"):
            raise ConnectionError("nobody answers")


@pytest.fixture(autouse=True)
def workflows(registry: WorkflowRegistry) -> None:
    registry.register_definition(
        WorkflowDefinition("workshop", "1.0.0", steps=[Prepare(), Weld()], edges=[("prepare", "weld")])
    )
    sheet = SequentialGroup(Cut(), Press(), name="sheet")
    registry.register_definition(
        WorkflowDefinition("sheets", "1.0.0", steps=[ForEach("sheets", sheet, name="each", into="done")])
    )
    registry.register_definition(WorkflowDefinition("trip", "1.0.0", steps=[Book(), Weld()], edges=[("book", "weld")]))


async def post(client: AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def shown(world: World, instance_id: str) -> dict[str, Any]:
    await world.engine.wait(UUID(instance_id), timeout=5)
    found: dict[str, Any] = (await world.alice.get(f"{API}/instances/{instance_id}")).json()
    return found


async def event(world: World, instance_id: str, kind: str) -> dict[str, Any]:
    found = (await world.alice.get(f"{API}/instances/{instance_id}/events")).json()["items"]
    (only,) = [entry for entry in found if entry["type"] == kind]
    assert isinstance(only, dict)
    return only


async def letters(client: AsyncClient, **params: Any) -> list[str]:
    found = (await client.get(LETTERS, params=params)).json()["items"]
    return [item["id"] for item in found]


async def test_a_failed_instance_is_a_dead_letter_with_its_error(world: World) -> None:
    instance_id = await world.start("workshop", {})
    (letter,) = (await world.alice.get(LETTERS)).json()["items"]
    assert letter["id"] == instance_id
    assert (letter["status"], letter["phase"], letter["parked"]) == ("failed", "normal", "dead_letter")
    assert letter["error"] == {"type": "RuntimeError", "message": "no gas", "step_name": "weld"}
    assert (await shown(world, instance_id))["step_history"][-1]["attempts"] == 2


async def test_dead_letters_are_listed_newest_first_page_by_page_and_by_workflow(world: World) -> None:
    first, other, last = [await world.start(name, {}) for name in ("workshop", "failing", "workshop")]
    await world.start()
    assert await letters(world.alice) == [last, other, first]
    assert await letters(world.alice, workflow_name="workshop") == [last, first]
    page = (await world.alice.get(LETTERS, params={"limit": 2, "with_total": True})).json()
    assert (page["total"], page["has_more"]) == (3, True)
    assert await letters(world.alice, limit=2, cursor=page["next_cursor"]) == [first]
    is_problem(await world.alice.get(LETTERS, params={"cursor": "made-up"}), 400, "invalid-cursor")


async def test_instances_are_filtered_by_whether_they_wait_for_an_operator(world: World) -> None:
    waiting, failed = await world.start(), await world.start("workshop", {})

    async def ids(parked: bool) -> list[str]:
        found = (await world.alice.get(f"{API}/instances", params={"parked": parked})).json()["items"]
        return [item["id"] for item in found]

    assert await ids(parked=True) == [failed]
    assert await ids(parked=False) == [waiting]


async def test_a_retry_opens_what_has_failed_and_names_who_wanted_it(world: World) -> None:
    instance_id = await world.start("workshop", {})
    answer = await post(world.bob, f"{API}/instances/{instance_id}/retry", data={"gas": True})
    assert (answer["status"], answer["parked"], answer["error"]) == ("running", None, None)
    done = await shown(world, instance_id)
    assert (done["status"], done["context_data"]) == ("completed", {"prepared": 1, "gas": True})
    retried = await event(world, instance_id, "workflow_retried")
    assert retried["actor"] == "bob"
    assert len(retried["data"]["executions"]) == 1
    assert await letters(world.alice) == []


async def test_a_retry_may_go_on_from_another_step_with_changed_data(world: World) -> None:
    instance_id = await world.start("workshop", {"junk": 1})
    path = f"{API}/instances/{instance_id}/retry"
    await post(world.alice, path, from_step="prepare", data={"gas": True}, delete=["junk"])
    done = await shown(world, instance_id)
    assert (done["status"], done["context_data"]) == ("completed", {"prepared": 2, "gas": True})
    assert (await event(world, instance_id, "workflow_retried"))["data"]["from_step"] == "prepare"


async def test_a_retry_from_a_step_inside_a_group_goes_on_there_for_each_item_that_has_failed(world: World) -> None:
    instance_id = await world.start("sheets", {"sheets": ["thin", "thick", "thick"]})
    await post(world.alice, f"{API}/instances/{instance_id}/retry", from_step="cut")
    await world.engine.wait(UUID(instance_id), timeout=5)
    if await letters(world.alice):  # one was cancelled before it could fail
        await post(world.alice, f"{API}/instances/{instance_id}/retry", from_step="cut")
    done = await shown(world, instance_id)
    assert (done["status"], done["context_data"]["done"]) == ("completed", ["thin 1", "thick 2", "thick 2"])


async def test_a_retry_that_fails_at_once_leaves_a_dead_letter_as_before(world: World) -> None:
    instance_id = await world.start("sheets", {})
    for body in ({}, {"from_step": "each"}):
        again = await post(world.alice, f"{API}/instances/{instance_id}/retry", **body)
        assert (again["status"], again["parked"], again["error"]["step_name"]) == ("failed", "dead_letter", "each")
    assert await letters(world.alice) == [instance_id]
    await post(world.alice, f"{API}/instances/{instance_id}/retry", data={"sheets": ["thin"]})
    done = await shown(world, instance_id)
    assert (done["status"], done["context_data"]["done"]) == ("completed", ["thin 1"])


async def test_a_retry_from_an_unknown_step_names_the_known_ones(world: World) -> None:
    instance_id = await world.start("workshop", {})
    answer = await world.alice.post(f"{API}/instances/{instance_id}/retry", json={"from_step": "wield"})
    problem = is_problem(answer, 422, "unknown-step")
    assert problem["steps"] == ["prepare", "weld"]
    assert problem["errors"][0]["pointer"] == "/from_step"
    assert await letters(world.alice) == [instance_id]


async def test_a_retry_with_data_that_grow_too_large_changes_nothing(world: World) -> None:
    instance_id = await world.start("workshop", {})
    answer = await world.alice.post(f"{API}/instances/{instance_id}/retry", json={"data": {"gas": "x" * 30_000}})
    is_problem(answer, 413, "data-too-large")
    assert await letters(world.alice) == [instance_id]


@pytest.mark.parametrize("what", ["retry", "discard"])
async def test_what_waits_for_no_operator_is_neither_retried_nor_discarded(world: World, what: str) -> None:
    instance_id = await world.start()
    answer = await world.alice.post(f"{API}/instances/{instance_id}/{what}", json={})
    problem = is_problem(answer, 409, "not-a-dead-letter")
    assert (problem["workflow_instance_id"], problem["state"]) == (instance_id, "waiting")


@pytest.mark.parametrize("what", ["retry", "discard", "terminate"])
async def test_an_unknown_instance_is_not_steered(world: World, what: str) -> None:
    is_problem(await world.alice.post(f"{API}/instances/{uuid4()}/{what}", json={}), 404, "instance-not-found")


async def test_a_discarded_instance_stays_failed_and_says_who_gave_it_up(world: World) -> None:
    instance_id = await world.start("workshop", {})
    answer = await post(world.bob, f"{API}/instances/{instance_id}/discard", reason="scrap")
    assert (answer["status"], answer["parked"]) == ("failed", None)
    discarded = await event(world, instance_id, "workflow_discarded")
    assert (discarded["actor"], discarded["data"]["reason"]) == ("bob", "scrap")
    assert await letters(world.alice) == []
    again = await world.alice.post(f"{API}/instances/{instance_id}/retry", json={})
    is_problem(again, 409, "not-a-dead-letter")


async def test_an_undoing_that_failed_is_retried_with_the_data_that_it_needs(world: World) -> None:
    instance_id = await world.start("trip", {})
    stuck = await shown(world, instance_id)
    assert (stuck["status"], stuck["phase"], stuck["parked"]) == ("waiting", "compensating", "compensation")
    refused = await world.alice.post(f"{API}/instances/{instance_id}/cancel", json={})
    assert is_problem(refused, 409, "instance-ending")["state"] == "compensating"
    await post(world.alice, f"{API}/instances/{instance_id}/retry", data={"hotel_answers": True})
    await world.finished(instance_id)
    undone = await shown(world, instance_id)
    assert (undone["status"], undone["parked"]) == ("failed", "dead_letter")
    assert [(step["step_name"], step["compensates"] is not None) for step in undone["step_history"]] == [
        ("book", False),
        ("weld", False),
        ("book", True),
    ]
    nothing_left = await world.alice.post(f"{API}/instances/{instance_id}/retry", json={})
    is_problem(nothing_left, 409, "nothing-to-reopen")
    await post(world.alice, f"{API}/instances/{instance_id}/retry", from_step="book", data={"gas": True})
    assert (await shown(world, instance_id))["status"] == "completed"


async def test_an_undoing_that_failed_can_be_left_out(world: World) -> None:
    instance_id = await world.start("trip", {})
    await post(world.alice, f"{API}/instances/{instance_id}/discard", reason="called them by phone")
    await world.finished(instance_id)
    assert (await shown(world, instance_id))["parked"] == "dead_letter"


async def test_an_instance_whose_undoing_is_stuck_can_be_ended_at_once(world: World) -> None:
    instance_id = await world.start("trip", {})
    answer = await post(world.bob, f"{API}/instances/{instance_id}/terminate", reason="enough")
    assert (answer["status"], answer["parked"]) == ("canceled", None)
    canceled = await event(world, instance_id, "workflow_canceled")
    assert (canceled["actor"], canceled["data"]["reason"]) == ("bob", "enough")
    again = await world.alice.post(f"{API}/instances/{instance_id}/terminate", json={})
    is_problem(again, 409, "instance-finished")


async def test_a_deadline_given_at_the_start_fails_the_instance(world: World) -> None:
    task = await world.open_task(deadline=0.05)
    failed = await world.engine.wait(UUID(task["instance_id"]), timeout=5, until=lambda found: found.status.is_final)
    assert (failed.status, failed.parked) == ("failed", "dead_letter")
    assert (await world.alice.get(f"{API}/tasks/{task['id']}")).json()["status"] == "canceled"


@pytest.mark.parametrize("deadline", [0, -1, 1e300, "soon"])
async def test_a_deadline_that_makes_no_sense_is_refused(world: World, deadline: Any) -> None:
    body = {"workflow_name": "callback", "deadline": deadline}
    (error,) = is_problem(await world.alice.post(f"{API}/instances", json=body), 400, "bad-request")["errors"]
    assert error["pointer"] == "/deadline"


async def test_many_are_retried_at_once_and_each_has_its_own_answer(world: World) -> None:
    good, running, missing = await world.start("workshop", {}), await world.start(), str(uuid4())
    body = {"instance_ids": [good, running, missing, good], "data": {"gas": True}}
    answer = await post(world.bob, f"{LETTERS}/retry", **body)
    assert [(found["instance_id"], found["ok"]) for found in answer["results"]] == [
        (good, True),
        (running, False),
        (missing, False),
    ]
    done, refused, unknown = answer["results"]
    assert (done["status"], done["phase"], done["problem"]) == ("running", "normal", None)
    assert refused["problem"]["type"] == "urn:workflows:problem:not-a-dead-letter"
    assert (unknown["problem"]["status"], unknown["status"]) == (404, None)
    assert answer["next_cursor"] is None
    assert (await shown(world, good))["status"] == "completed"
    assert (await event(world, good, "workflow_retried"))["actor"] == "bob"


async def test_all_of_a_workflow_are_discarded_part_by_part(world: World) -> None:
    mine = [await world.start("workshop", {}) for _ in range(3)]
    other = await world.start("failing", {})
    seen: list[str] = []
    chosen: dict[str, Any] = {"workflow_name": "workshop", "limit": 2}
    while True:
        answer = await post(world.bob, f"{LETTERS}/discard", matching=chosen, reason="scrap")
        assert all(found["ok"] for found in answer["results"])
        seen += [found["instance_id"] for found in answer["results"]]
        if answer["next_cursor"] is None:
            break
        chosen["cursor"] = answer["next_cursor"]
    assert seen == mine[::-1]
    assert await letters(world.alice) == [other]
    assert (await event(world, mine[0], "workflow_discarded"))["actor"] == "bob"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"instance_ids": [str(UUID(int=n)) for n in range(101)]}, "/instance_ids"),
        ({"instance_ids": ["17"]}, "/instance_ids/0"),
        ({"instance_ids": None}, "/instance_ids"),
        ({"matching": {"limit": 101}}, "/matching/limit"),
        ({"matching": {"tenant": "acme"}}, "/matching/tenant"),
        ({"everything": True}, "/everything"),
    ],
)
@pytest.mark.parametrize("what", ["retry", "discard"])
async def test_a_request_about_many_is_bounded_and_strict(
    world: World, what: str, body: dict[str, Any], pointer: str
) -> None:
    problem = is_problem(await world.alice.post(f"{LETTERS}/{what}", json=body), 400, "bad-request")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


@pytest.mark.parametrize("what", ["retry", "discard"])
async def test_a_request_that_names_none_is_about_none(world: World, what: str) -> None:
    instance_id = await world.start("workshop", {})
    assert await post(world.alice, f"{LETTERS}/{what}") == {"results": [], "next_cursor": None}
    assert await letters(world.alice) == [instance_id]


@pytest.mark.parametrize("what", ["retry", "discard"])
async def test_a_request_about_all_reaches_the_own_tenant_only(world: World, what: str) -> None:
    ours, theirs = await world.start("workshop", {}), await world.start("workshop", {}, actor="mallory")
    by_id = await post(world.mallory, f"{LETTERS}/{what}", instance_ids=[ours])
    assert by_id["results"][0]["problem"]["type"] == "urn:workflows:problem:instance-not-found"
    answer = await post(world.mallory, f"{LETTERS}/{what}", matching={})
    assert [found["instance_id"] for found in answer["results"]] == [theirs]
    assert await letters(world.alice) == [ours]
