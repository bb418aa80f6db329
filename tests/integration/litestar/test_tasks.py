"""Routes of human tasks."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from tests.integration.litestar.world import API, DATABASES, World, is_problem

pytestmark = DATABASES


async def test_the_list_shows_my_open_tasks(world: World) -> None:
    task = await world.open_task()
    assert task["title"] == "Review plan.md"
    assert (task["step_name"], task["status"], task["assignee_id"]) == ("review", "pending", None)
    assert task["candidate_groups"] == ["managers"]
    mine = (await world.client_of("bob").get(f"{API}/tasks")).json()["items"]
    assert [item["id"] for item in mine] == [task["id"]]
    others = (await world.client_of("carol").get(f"{API}/tasks")).json()["items"]
    assert others == []


async def test_the_list_shows_all_tasks_of_the_tenant_on_request(world: World) -> None:
    task = await world.open_task()
    found = (await world.client_of("carol").get(f"{API}/tasks", params={"mine": False})).json()["items"]
    assert [item["id"] for item in found] == [task["id"]]


async def test_the_list_is_filtered(world: World) -> None:
    task = await world.open_task()
    other = await world.open_task()
    await world.alice.post(f"{API}/tasks/{other['id']}/complete", json={"form_data": {"approved": False}})
    await world.alice.post(f"{API}/tasks/{task['id']}/reassign", json={"assignee_id": "bob"})

    async def ids(**params: Any) -> set[str]:
        answer = await world.alice.get(f"{API}/tasks", params={"mine": False, **params})
        return {item["id"] for item in answer.json()["items"]}

    assert await ids() == {task["id"]}
    assert await ids(status="completed") == {other["id"]}
    assert await ids(status=["completed", "pending"]) == {task["id"], other["id"]}
    assert await ids(assignee_id="bob") == {task["id"]}
    assert await ids(assignee_id="alice") == set()
    assert await ids(workflow_name="approval") == {task["id"]}
    assert await ids(workflow_name="callback") == set()
    assert await ids(instance_id=task["instance_id"]) == {task["id"]}
    assert await ids(instance_id=str(uuid4())) == set()
    assert await ids(step_name="review") == {task["id"]}
    assert await ids(due_before="2100-01-01T00:00:00Z") == set()
    assert await ids(order="-priority") == {task["id"]}


async def test_a_task_shows_its_form_and_the_data_of_its_instance(world: World) -> None:
    task = await world.open_task()
    shown = (await world.alice.get(f"{API}/tasks/{task['id']}")).json()
    assert shown["form_schema"]["required"] == ["approved"]
    assert shown["workflow_context"] == {"document": "plan.md", "submitted": True}


async def test_an_unknown_task_is_not_found(world: World) -> None:
    unknown = f"{API}/tasks/{uuid4()}"
    is_problem(await world.alice.get(unknown), 404, "task-not-found")
    is_problem(await world.alice.post(f"{unknown}/complete", json={"form_data": {}}), 404, "task-not-found")
    is_problem(await world.alice.post(f"{unknown}/reassign", json={"assignee_id": "bob"}), 404, "task-not-found")


async def test_a_completed_task_moves_its_instance_on(world: World) -> None:
    task = await world.open_task()
    body = {"form_data": {"approved": True, "note": "fine"}, "comment": "well done"}
    answer = await world.alice.post(f"{API}/tasks/{task['id']}/complete", json=body)
    assert answer.status_code == 200
    assert answer.json()["id"] == task["instance_id"]
    await world.finished(task["instance_id"])
    shown = (await world.alice.get(f"{API}/instances/{task['instance_id']}")).json()
    assert shown["status"] == "completed"
    assert shown["context_data"]["approved"] is True
    assert [step["step_name"] for step in shown["step_history"]] == ["submit", "review", "publish"]
    assert shown["step_history"][1]["completed_by"] == "alice"
    done = (await world.alice.get(f"{API}/tasks/{task['id']}")).json()
    assert (done["status"], done["completed_by"], done["comment"]) == ("completed", "alice", "well done")


async def test_a_form_with_faults_names_each_field_and_leaves_the_task_open(world: World) -> None:
    task = await world.open_task()
    body = {"form_data": {"note": "x" * 21, "evil": 1}}
    problem = is_problem(await world.alice.post(f"{API}/tasks/{task['id']}/complete", json=body), 422, "invalid-form")
    found = {(error["pointer"], error["keyword"]) for error in problem["errors"]}
    assert ("/approved", "required") in found
    assert ("/note", "maxLength") in found
    assert any(pointer == "/evil" for pointer, _ in found)
    shown = (await world.alice.get(f"{API}/tasks/{task['id']}")).json()
    assert shown["status"] == "pending"


async def test_of_two_who_complete_a_task_the_second_is_told_who_was_first_and_when(world: World) -> None:
    task = await world.open_task()
    path, body = f"{API}/tasks/{task['id']}/complete", {"form_data": {"approved": True}}
    assert (await world.alice.post(path, json=body)).status_code == 200
    problem = is_problem(await world.bob.post(path, json=body), 409, "task-already-completed")
    assert problem["completed_by"] == "alice"
    done = (await world.alice.get(f"{API}/tasks/{task['id']}")).json()
    assert problem["completed_at"] == done["completed_at"]


async def test_of_many_who_complete_a_task_at_once_one_wins(world: World) -> None:
    task = await world.open_task()
    path, body = f"{API}/tasks/{task['id']}/complete", {"form_data": {"approved": True}}
    clients = [world.alice, world.bob] * 5
    answers = await asyncio.gather(*(client.post(path, json=body) for client in clients))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 9


async def test_a_task_of_somebody_else_cannot_be_completed(world: World) -> None:
    task = await world.open_task()
    carol = world.client_of("carol")
    answer = await carol.post(f"{API}/tasks/{task['id']}/complete", json={"form_data": {"approved": True}})
    assert "carol may not complete" in is_problem(answer, 403, "permission-denied")["detail"]


async def test_a_task_of_a_cancelled_instance_is_not_open(world: World) -> None:
    task = await world.open_task()
    await world.alice.post(f"{API}/instances/{task['instance_id']}/cancel", json={})
    answer = await world.alice.post(f"{API}/tasks/{task['id']}/complete", json={"form_data": {"approved": True}})
    assert is_problem(answer, 409, "task-not-open")["state"] == "canceled"


async def test_a_reassigned_task_is_for_its_new_assignee_alone(world: World) -> None:
    task = await world.open_task()
    path = f"{API}/tasks/{task['id']}"
    answer = await world.alice.post(f"{path}/reassign", json={"assignee_id": "bob", "reason": "on holiday"})
    assert answer.status_code == 200
    assert answer.json()["assignee_id"] == "bob"
    is_problem(
        await world.alice.post(f"{path}/complete", json={"form_data": {"approved": True}}), 403, "permission-denied"
    )
    assert (await world.bob.post(f"{path}/complete", json={"form_data": {"approved": True}})).status_code == 200
    events = (await world.alice.get(f"{API}/instances/{task['instance_id']}/events")).json()["items"]
    (event,) = [event for event in events if event["type"] == "human_task_reassigned"]
    assert (event["actor"], event["data"]["assignee_id"], event["data"]["reason"]) == ("alice", "bob", "on holiday")


async def test_who_could_not_complete_a_task_cannot_reassign_it(world: World) -> None:
    task = await world.open_task()
    answer = await world.client_of("carol").post(f"{API}/tasks/{task['id']}/reassign", json={"assignee_id": "carol"})
    is_problem(answer, 403, "permission-denied")


async def test_a_completed_task_cannot_be_reassigned(world: World) -> None:
    task = await world.open_task()
    await world.alice.post(f"{API}/tasks/{task['id']}/complete", json={"form_data": {"approved": False}})
    answer = await world.alice.post(f"{API}/tasks/{task['id']}/reassign", json={"assignee_id": "bob"})
    is_problem(answer, 409, "task-already-completed")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/form_data"),
        ({"form_data": []}, "/form_data"),
        ({"form_data": {}, "user_id": "bob"}, "/user_id"),
        ({"form_data": {}, "comment": 1}, "/comment"),
        ({"form_data": {}, "comment": "x" * 10_001}, "/comment"),
    ],
)
async def test_a_body_of_another_shape_is_refused_with_its_place(world: World, body: Any, pointer: str) -> None:
    task = await world.open_task()
    answer = await world.alice.post(f"{API}/tasks/{task['id']}/complete", json=body)
    (error,) = is_problem(answer, 400, "bad-request")["errors"]
    assert (error["source"], error["pointer"]) == ("body", pointer)
