"""Routes for operators."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from tests.integration.litestar.test_plugin import durable_engine
from tests.integration.litestar.world import API, DATABASES, MakeApp, OpenWorld, World, is_problem

from workflows_core import WorkflowRegistry

pytestmark = DATABASES

ADMIN = "/workflows/admin"
PATHS = ["/stats", "/instances", f"/instances/{UUID(int=404)}/work", "/dead-letters", "/stalled", "/unserved"]


async def test_stats_count_instances_by_status_over_all_tenants(world: World) -> None:
    await world.start()
    await world.start("failing", {})
    await world.start(actor="mallory")
    root = world.client_of("root")
    stats = (await root.get(f"{ADMIN}/stats")).json()
    assert stats["instances"] == {
        "pending": 0, "running": 0, "waiting": 2, "paused": 0, "completed": 0, "failed": 1, "canceled": 0,
    }  # fmt: skip
    assert stats["dead_letters"] == 1
    assert (stats["total_instances"], stats["open_tasks"], stats["overdue_tasks"]) == (3, 2, 0)
    of_one = (await root.get(f"{ADMIN}/stats", params={"tenant_id": "evil"})).json()
    assert (of_one["total_instances"], of_one["open_tasks"]) == (1, 1)


async def test_instances_of_all_tenants_are_listed(world: World) -> None:
    ours, theirs = await world.start(), await world.start(actor="mallory")
    root = world.client_of("root")
    found = (await root.get(f"{ADMIN}/instances")).json()["items"]
    assert {(item["id"], item["tenant_id"]) for item in found} == {(ours, "acme"), (theirs, "evil")}
    found = (await root.get(f"{ADMIN}/instances", params={"tenant_id": "evil", "status": "waiting"})).json()["items"]
    assert [item["id"] for item in found] == [theirs]


async def test_dead_letters_of_all_tenants_are_listed(world: World) -> None:
    ours, theirs = await world.start("failing", {}), await world.start("failing", {}, actor="mallory")
    await world.start()
    root = world.client_of("root")
    found = (await root.get(f"{ADMIN}/dead-letters")).json()["items"]
    assert [item["id"] for item in found] == [theirs, ours]
    found = (await root.get(f"{ADMIN}/dead-letters", params={"tenant_id": "evil"})).json()["items"]
    assert [(item["id"], item["tenant_id"]) for item in found] == [(theirs, "evil")]
    found = (await root.get(f"{ADMIN}/dead-letters", params={"workflow_name": "approval"})).json()["items"]
    assert found == []


async def test_the_work_of_an_instance_is_shown(world: World) -> None:
    instance_id = await world.start("callback", {}, deadline=3600)
    root = world.client_of("root")
    items = (await root.get(f"{ADMIN}/instances/{instance_id}/work")).json()["items"]
    (deadline,) = [item for item in items if item["kind"] == "deadline"]
    assert deadline["due_at"] is not None
    assert (deadline["worker"], deadline["attempts"], deadline["crashes"]) == (None, 0, 0)
    is_problem(await root.get(f"{ADMIN}/instances/{UUID(int=404)}/work"), 404, "instance-not-found")


async def test_nothing_is_stalled(world: World) -> None:
    await world.start()
    assert (await world.client_of("root").get(f"{ADMIN}/stalled")).json() == {"instance_ids": []}


async def test_work_that_nobody_takes_is_found(
    registry: WorkflowRegistry, make_app: MakeApp, open_world: OpenWorld
) -> None:
    world = await open_world(make_app(engine=durable_engine(registry)))
    started = await world.alice.post(f"{API}/instances", json={"workflow_name": "failing"})
    root = world.client_of("root")
    (found,) = (await root.get(f"{ADMIN}/unserved?overdue_s=0")).json()["items"]
    assert (found["instance_id"], found["work"]["kind"]) == (started.json()["id"], "run")
    assert (await root.get(f"{ADMIN}/unserved?overdue_s=3600")).json() == {"items": []}


@pytest.mark.parametrize("path", PATHS)
async def test_the_guard_keeps_others_out(world: World, path: str) -> None:
    is_problem(await world.alice.get(ADMIN + path), 403, "permission-denied")
    is_problem(await world.nobody.get(ADMIN + path), 403, "permission-denied")


@pytest.mark.parametrize("options", [{"admin_guard": None}, {"enable_admin": False}], ids=["no guard", "disabled"])
async def test_without_a_guard_there_are_no_routes_for_operators(
    make_app: MakeApp, open_world: OpenWorld, options: dict[str, Any]
) -> None:
    world = await open_world(make_app(**options))
    for path in PATHS:
        assert (await world.client_of("root").get(ADMIN + path)).status_code == 404
