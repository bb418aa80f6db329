"""Routes of instances."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from tests.integration.litestar.world import API, DATABASES, World, is_problem

pytestmark = DATABASES


async def test_a_start_answers_201_with_the_address_of_the_instance(world: World) -> None:
    body = {"workflow_name": "approval", "initial_data": {"document": "plan.md"}}
    answer = await world.alice.post(f"{API}/instances", json=body)
    assert answer.status_code == 201
    started = answer.json()
    assert answer.headers["location"] == f"{API}/instances/{started['id']}"
    assert (started["workflow_name"], started["workflow_version"]) == ("approval", "1.10.0")
    assert (started["created_by"], started["tenant_id"]) == ("alice", "acme")
    assert started["completed_at"] is None
    shown = await world.alice.get(answer.headers["location"])
    assert shown.json()["id"] == started["id"]


async def test_a_start_may_name_a_version(world: World) -> None:
    instance_id = await world.start(version="1.9.0")
    shown = (await world.alice.get(f"{API}/instances/{instance_id}")).json()
    assert shown["workflow_version"] == "1.9.0"


async def test_a_start_without_data_is_one_with_empty_data(world: World) -> None:
    answer = await world.alice.post(f"{API}/instances", json={"workflow_name": "callback"})
    assert answer.status_code == 201


@pytest.mark.parametrize("place", ["header", "body", "both"])
async def test_a_repeated_start_with_a_key_answers_200_with_the_first_instance(world: World, place: str) -> None:
    body = {"workflow_name": "approval", "initial_data": {"document": "plan.md"}}
    if place != "header":
        body["idempotency_key"] = "order-1"
    headers = {} if place == "body" else {"Idempotency-Key": "order-1"}
    first = await world.alice.post(f"{API}/instances", json=body, headers=headers)
    second = await world.alice.post(f"{API}/instances", json=body, headers=headers)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    assert first.headers["location"] == second.headers["location"]


async def test_the_same_key_with_other_data_is_a_conflict_that_names_the_instance(world: World) -> None:
    first = {"workflow_name": "approval", "initial_data": {"document": "a"}, "idempotency_key": "order-1"}
    started = (await world.alice.post(f"{API}/instances", json=first)).json()
    other = {**first, "initial_data": {"document": "b"}}
    problem = is_problem(await world.alice.post(f"{API}/instances", json=other), 409, "idempotency-conflict")
    assert problem["workflow_instance_id"] == started["id"]


async def test_two_tenants_may_use_the_same_key(world: World) -> None:
    body = {"workflow_name": "approval", "initial_data": {"document": "a"}, "idempotency_key": "order-1"}
    first = await world.alice.post(f"{API}/instances", json=body)
    other = await world.mallory.post(f"{API}/instances", json={**body, "initial_data": {"document": "b"}})
    assert other.status_code == 201
    assert first.json()["id"] != other.json()["id"]


async def test_two_different_keys_in_one_request_are_refused(world: World) -> None:
    body = {"workflow_name": "callback", "idempotency_key": "a"}
    answer = await world.alice.post(f"{API}/instances", json=body, headers={"Idempotency-Key": "b"})
    (error,) = is_problem(answer, 400, "bad-request")["errors"]
    assert (error["source"], error["pointer"]) == ("header", "Idempotency-Key")


async def test_an_unknown_workflow_cannot_be_started(world: World) -> None:
    answer = await world.alice.post(f"{API}/instances", json={"workflow_name": "approvals"})
    assert is_problem(answer, 404, "workflow-not-found")["near"] == ["approval"]


async def test_initial_data_that_do_not_satisfy_the_schema_name_every_place(world: World) -> None:
    body = {"workflow_name": "approval", "initial_data": {"amount": -1}}
    problem = is_problem(await world.alice.post(f"{API}/instances", json=body), 422, "invalid-input")
    found = {(error["pointer"], error["keyword"]) for error in problem["errors"]}
    assert found == {("/document", "required"), ("/amount", "minimum")}


async def test_data_beyond_the_limit_are_refused_with_both_sizes(world: World) -> None:
    body = {"workflow_name": "callback", "initial_data": {"blob": "x" * 30_000}}
    problem = is_problem(await world.alice.post(f"{API}/instances", json=body), 413, "data-too-large")
    assert problem["limit_bytes"] == 20_000
    assert problem["size_bytes"] > 30_000


async def test_an_instance_shows_its_data_its_steps_and_its_history(world: World) -> None:
    instance_id = await world.start(metadata={"channel": "web"})
    shown = (await world.alice.get(f"{API}/instances/{instance_id}")).json()
    assert shown["status"] == "waiting"
    assert shown["current_step"] == "review"
    assert shown["context_data"] == {"document": "plan.md", "submitted": True}
    assert shown["metadata"] == {"channel": "web"}
    (active,) = shown["active_steps"]
    assert (active["step_name"], active["status"], active["item"]) == ("review", "waiting", None)
    (finished,) = shown["step_history"]
    assert (finished["step_name"], finished["status"], finished["step_type"]) == ("submit", "succeeded", "machine")
    assert finished["completed_at"] is not None
    assert shown["has_more_history"] is False
    assert shown["error"] is None


async def test_a_failed_instance_shows_its_error_without_the_traceback(world: World) -> None:
    instance_id = await world.start("failing", {})
    shown = (await world.alice.get(f"{API}/instances/{instance_id}")).json()
    assert shown["status"] == "failed"
    assert shown["error"] == {"type": "RuntimeError", "message": "the disk is on fire", "step_name": "explode"}
    assert shown["step_history"][0]["error"]["type"] == "RuntimeError"
    assert "Traceback" not in str(shown)


async def test_an_unknown_instance_is_not_found(world: World) -> None:
    for path in ("", "/graph", "/history", "/events"):
        is_problem(await world.alice.get(f"{API}/instances/{uuid4()}{path}"), 404, "instance-not-found")


async def test_an_id_that_is_no_uuid_is_malformed(world: World) -> None:
    (error,) = is_problem(await world.alice.get(f"{API}/instances/17"), 400, "bad-request")["errors"]
    assert (error["source"], error["pointer"]) == ("path", "instance_id")


async def test_the_list_is_filtered(world: World) -> None:
    waiting = await world.start()
    failed = await world.start("failing", {}, actor="bob")

    async def ids(**params: Any) -> set[str]:
        body = (await world.alice.get(f"{API}/instances", params=params)).json()
        return {item["id"] for item in body["items"]}

    assert await ids() == {waiting, failed}
    assert await ids(workflow_name="failing") == {failed}
    assert await ids(workflow_version="1.10.0") == {waiting}
    assert await ids(status="waiting") == {waiting}
    assert await ids(status=["waiting", "failed"]) == {waiting, failed}
    assert await ids(created_by="bob") == {failed}
    assert await ids(started_after="2020-01-01T00:00:00Z") == {waiting, failed}
    assert await ids(started_before="2020-01-01T00:00:00") == set()


async def test_the_list_is_newest_first_unless_asked_otherwise(world: World) -> None:
    first, second = await world.start(), await world.start()

    async def ids(**params: Any) -> list[str]:
        body = (await world.alice.get(f"{API}/instances", params=params)).json()
        return [item["id"] for item in body["items"]]

    assert await ids() == [second, first]
    assert await ids(order="started_at") == [first, second]
    assert await ids(order="-updated_at") == [second, first]


async def test_the_list_is_read_page_by_page_and_counted_on_request(world: World) -> None:
    started = [await world.start() for _ in range(3)]
    first = (await world.alice.get(f"{API}/instances", params={"limit": 2, "with_total": True})).json()
    assert (first["total"], first["limit"], first["has_more"]) == (3, 2, True)
    rest = await world.alice.get(f"{API}/instances", params={"limit": 2, "cursor": first["next_cursor"]})
    assert rest.json()["has_more"] is False
    assert rest.json()["total"] is None
    seen = [item["id"] for item in first["items"] + rest.json()["items"]]
    assert seen == started[::-1]
    by_offset = (await world.alice.get(f"{API}/instances", params={"limit": 2, "offset": 2})).json()
    assert [item["id"] for item in by_offset["items"]] == [started[0]]
    assert by_offset["offset"] == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "101"),
        ("limit", "many"),
        ("offset", "-1"),
        ("offset", "100000000000000000000"),
        ("status", "bogus"),
        ("started_after", "yesterday"),
        ("started_before", "0001-01-01T00:00:00+23:59"),
        ("order", "name"),
    ],
)
async def test_a_malformed_filter_is_refused_with_its_place(world: World, name: str, value: str) -> None:
    answer = await world.alice.get(f"{API}/instances", params={name: value})
    errors = is_problem(answer, 400, "bad-request")["errors"]
    assert [(error["source"], error["pointer"]) for error in errors] == [("query", name)]


async def test_a_cursor_of_another_query_is_refused(world: World) -> None:
    problem = is_problem(await world.alice.get(f"{API}/instances", params={"cursor": "made-up"}), 400, "invalid-cursor")
    assert problem["errors"][0]["pointer"] == "cursor"


async def test_the_drawing_of_an_instance_shows_the_state_of_its_steps(world: World) -> None:
    instance_id = await world.start()
    body = (await world.alice.get(f"{API}/instances/{instance_id}/graph")).json()
    assert body["step_states"] == {"submit": "succeeded", "review": "waiting"}
    assert "classDef waiting" in body["graph"]
    assert "classDef completed" in body["graph"]
    as_json = await world.alice.get(f"{API}/instances/{instance_id}/graph", params={"format": "json"})
    assert as_json.json()["step_states"] == body["step_states"]


async def test_the_drawing_shows_a_failed_step(world: World) -> None:
    instance_id = await world.start("failing", {})
    body = (await world.alice.get(f"{API}/instances/{instance_id}/graph")).json()
    assert body["step_states"] == {"explode": "failed"}
    assert "classDef failed" in body["graph"]


async def test_the_history_is_read_page_by_page(world: World) -> None:
    task = await world.open_task()
    await world.alice.post(f"{API}/tasks/{task['id']}/complete", json={"form_data": {"approved": True}})
    await world.finished(task["instance_id"])
    seen, cursor = [], None
    while True:
        params = {"limit": 1} | ({} if cursor is None else {"cursor": cursor})
        body = (await world.alice.get(f"{API}/instances/{task['instance_id']}/history", params=params)).json()
        seen += [item["step_name"] for item in body["items"]]
        cursor = body["next_cursor"]
        if cursor is None:
            break
    assert seen == ["submit", "review", "publish"]


async def test_the_events_say_who_did_what(world: World) -> None:
    task = await world.open_task()
    form = {"form_data": {"approved": False}, "comment": "not yet"}
    await world.bob.post(f"{API}/tasks/{task['id']}/complete", json=form)
    await world.finished(task["instance_id"])
    body = (await world.alice.get(f"{API}/instances/{task['instance_id']}/events")).json()
    types = [item["type"] for item in body["items"]]
    assert types[0] == "workflow_started"
    assert types[-1] == "workflow_completed"
    completed = next(item for item in body["items"] if item["type"] == "human_task_completed")
    assert completed["actor"] == "bob"
    assert completed["data"]["comment"] == "not yet"
    assert body["has_more"] is False


async def test_the_events_are_read_page_by_page_in_whole_changes(world: World) -> None:
    instance_id = await world.start()
    whole = (await world.alice.get(f"{API}/instances/{instance_id}/events")).json()["items"]
    seen, cursor = [], None
    while True:
        params = {"limit": 1} | ({} if cursor is None else {"cursor": cursor})
        body = (await world.alice.get(f"{API}/instances/{instance_id}/events", params=params)).json()
        seen += body["items"]
        cursor = body["next_cursor"]
        if cursor is None:
            break
    assert seen == whole


async def test_cancel_ends_an_instance_and_says_why(world: World) -> None:
    task = await world.open_task()
    path = f"{API}/instances/{task['instance_id']}"
    answer = await world.alice.post(f"{path}/cancel", json={"reason": "no longer needed"})
    assert answer.status_code == 200
    assert answer.json()["status"] == "canceled"
    events = (await world.alice.get(f"{path}/events")).json()["items"]
    (canceled,) = [event for event in events if event["type"] == "workflow_canceled"]
    assert (canceled["actor"], canceled["data"]["reason"]) == ("alice", "no longer needed")
    shown = (await world.alice.get(f"{API}/tasks/{task['id']}")).json()
    assert shown["status"] == "canceled"


async def test_a_finished_instance_cannot_be_cancelled(world: World) -> None:
    instance_id = await world.start("failing", {})
    answer = await world.alice.post(f"{API}/instances/{instance_id}/cancel", json={})
    problem = is_problem(answer, 409, "instance-finished")
    assert (problem["workflow_instance_id"], problem["state"]) == (instance_id, "failed")


async def test_an_instance_is_started_for_later_with_a_priority(world: World) -> None:
    body = {"workflow_name": "callback", "priority": 7, "start_at": "2999-01-31T09:00:00+01:00"}
    answer = await world.alice.post(f"{API}/instances", json=body)
    assert (answer.status_code, answer.json()["status"]) == (201, "pending")
    detail = (await world.alice.get(f"{API}/instances/{answer.json()['id']}")).json()
    assert (detail["status"], detail["priority"]) == ("pending", 7)


@pytest.mark.parametrize(
    ("how", "pointers"),
    [
        ({"priority": 10**9}, ["/priority"]),
        ({"delay": -1}, ["/delay"]),
        ({"start_at": "2999-01-31T09:00:00"}, ["/start_at"]),
        ({"delay": 1, "start_at": "2999-01-31T09:00:00Z"}, ["/start_at"]),
    ],
)
async def test_a_start_at_no_certain_moment_is_refused(world: World, how: dict[str, Any], pointers: list[str]) -> None:
    answer = await world.alice.post(f"{API}/instances", json={"workflow_name": "callback", **how})
    assert answer.status_code in {400, 422}
    assert [error["pointer"] for error in answer.json()["errors"]] == pointers
