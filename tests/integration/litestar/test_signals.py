"""The route at which named signals are sent."""

from __future__ import annotations

from uuid import uuid4

from tests.integration.litestar.world import API, DATABASES, World, is_problem

pytestmark = DATABASES


async def test_a_signal_moves_the_instance_on_once(world: World) -> None:
    instance_id = await world.start("signalled", {})
    for _ in range(2):
        answer = await world.alice.post(
            f"{API}/instances/{instance_id}/signals/go", json={"payload": 7, "dedup_key": "only once"}
        )
        assert (answer.status_code, answer.json()["status"]) == (200, "completed")
    shown = (await world.alice.get(f"{API}/instances/{instance_id}")).json()
    assert shown["context_data"]["signals"] == {"wait": 7}
    events = (await world.alice.get(f"{API}/instances/{instance_id}/events")).json()["items"]
    (received,) = [event for event in events if event["type"] == "signal_received"]
    assert received["actor"] == "alice"
    is_problem(
        await world.alice.post(f"{API}/instances/{instance_id}/signals/go", json={"payload": 8}),
        409,
        "instance-finished",
    )


async def test_a_signal_without_a_payload_brings_null(world: World) -> None:
    instance_id = await world.start("signalled", {})
    assert (await world.alice.post(f"{API}/instances/{instance_id}/signals/go", json={})).status_code == 200


async def test_a_signal_for_which_no_step_waits_is_refused_with_the_names_that_there_are(world: World) -> None:
    instance_id = await world.start("signalled", {})
    refused = is_problem(
        await world.alice.post(f"{API}/instances/{instance_id}/signals/gone", json={}), 422, "unknown-signal"
    )
    assert refused["signals"] == ["go"]


async def test_a_payload_with_faults_names_each_place_and_can_be_sent_again(world: World) -> None:
    instance_id = await world.start("signalled", {})
    wrong = await world.alice.post(f"{API}/instances/{instance_id}/signals/go", json={"payload": "seven"})
    (error,) = is_problem(wrong, 422, "invalid-input")["errors"]
    assert error["keyword"] == "type"
    right = await world.alice.post(f"{API}/instances/{instance_id}/signals/go", json={"payload": 7})
    assert right.json()["status"] == "completed"


async def test_a_body_that_is_not_known_is_refused(world: World) -> None:
    path = f"{API}/instances/{uuid4()}/signals/go"
    is_problem(await world.alice.post(path, json={"data": 7}), 400, "bad-request")
    is_problem(await world.alice.post(path, json={"dedup_key": ""}), 400, "bad-request")
    is_problem(await world.alice.post(path, json={}), 404, "instance-not-found")
