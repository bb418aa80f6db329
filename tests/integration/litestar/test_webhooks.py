"""The route at which other systems answer."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from tests.integration.litestar.world import API, DATABASES, MakeApp, OpenWorld, World, is_problem

pytestmark = DATABASES


async def test_a_call_to_the_signed_address_moves_the_instance_on(world: World) -> None:
    instance_id = await world.start("callback", {})
    address = world.engine.webhook_url(UUID(instance_id), "await_payment")
    answer = await world.nobody.post(address, json={"paid": True})
    assert (answer.status_code, answer.content) == (204, b"")
    await world.finished(instance_id)
    shown = (await world.alice.get(f"{API}/instances/{instance_id}")).json()
    assert shown["status"] == "completed"
    assert shown["context_data"]["payment"] == {"paid": True}


async def test_the_second_call_is_refused(world: World) -> None:
    instance_id = await world.start("callback", {})
    address = world.engine.webhook_url(UUID(instance_id), "await_payment")
    assert (await world.nobody.post(address, json={"paid": True})).status_code == 204
    is_problem(await world.nobody.post(address, json={"paid": False}), 409, "webhook-already-used")


async def test_a_payload_with_faults_names_each_place_and_can_be_sent_again(world: World) -> None:
    instance_id = await world.start("callback", {})
    address = world.engine.webhook_url(UUID(instance_id), "await_payment")
    (error,) = is_problem(await world.nobody.post(address, json={"paid": "yes"}), 422, "invalid-input")["errors"]
    assert (error["pointer"], error["keyword"]) == ("/paid", "type")
    assert (await world.nobody.post(address, json={"paid": True})).status_code == 204


async def test_a_made_up_token_is_not_found(world: World) -> None:
    signed = world.engine.webhook_token(uuid4(), "await_payment")
    for token in ("x", "ä", signed[:-2], signed, "A" * 100):
        is_problem(await world.nobody.post(f"{API}/webhooks/{token}", json={}), 404, "webhook-not-found")


async def test_a_token_that_is_too_long_is_malformed(world: World) -> None:
    is_problem(await world.nobody.post(f"{API}/webhooks/{'A' * 2001}", json={}), 400, "bad-request")


@pytest.mark.parametrize("payload", [None, 1, "text", [1, 2], {"a": {"b": [None]}}])
async def test_any_json_is_read(world: World, payload: Any) -> None:
    instance_id = await world.start("callback", {})
    address = world.engine.webhook_url(UUID(instance_id), "await_payment")
    content, headers = json.dumps(payload), {"Content-Type": "application/json"}
    is_problem(await world.nobody.post(address, content=content, headers=headers), 422, "invalid-input")


async def test_the_guard_of_the_api_does_not_keep_other_systems_out(make_app: MakeApp, open_world: OpenWorld) -> None:
    def nobody_at_all(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        raise AssertionError("asked")

    world = await open_world(make_app(auth_guard=nobody_at_all))
    is_problem(await world.nobody.post(f"{API}/webhooks/x", json={}), 404, "webhook-not-found")
