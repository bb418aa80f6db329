"""Routes for operators."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integration.litestar.world import DATABASES, MakeApp, OpenWorld, World, is_problem

pytestmark = DATABASES

ADMIN = "/workflows/admin"


async def test_stats_count_instances_by_status_over_all_tenants(world: World) -> None:
    await world.start()
    await world.start("failing", {})
    await world.start(actor="mallory")
    root = world.client_of("root")
    stats = (await root.get(f"{ADMIN}/stats")).json()
    assert stats["instances"] == {
        "pending": 0, "running": 0, "waiting": 2, "paused": 0, "completed": 0, "failed": 1, "canceled": 0,
    }  # fmt: skip
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


async def test_nothing_is_stalled(world: World) -> None:
    await world.start()
    assert (await world.client_of("root").get(f"{ADMIN}/stalled")).json() == {"instance_ids": []}


@pytest.mark.parametrize("path", ["/stats", "/instances", "/stalled"])
async def test_the_guard_keeps_others_out(world: World, path: str) -> None:
    is_problem(await world.alice.get(ADMIN + path), 403, "permission-denied")
    is_problem(await world.nobody.get(ADMIN + path), 403, "permission-denied")


@pytest.mark.parametrize("options", [{"admin_guard": None}, {"enable_admin": False}], ids=["no guard", "disabled"])
async def test_without_a_guard_there_are_no_routes_for_operators(
    make_app: MakeApp, open_world: OpenWorld, options: dict[str, Any]
) -> None:
    world = await open_world(make_app(**options))
    for path in ("/stats", "/instances", "/stalled"):
        assert (await world.client_of("root").get(ADMIN + path)).status_code == 404
