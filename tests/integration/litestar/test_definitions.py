"""Routes of definitions."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integration.litestar.world import API, World, is_problem


async def test_the_list_shows_the_newest_version_of_each_workflow(world: World) -> None:
    answer = await world.alice.get(f"{API}/definitions")
    assert answer.status_code == 200
    body = answer.json()
    assert [(item["name"], item["version"]) for item in body["items"]] == [
        ("approval", "1.10.0"),
        ("callback", "1.0.0"),
        ("failing", "1.0.0"),
        ("signalled", "1.0.0"),
    ]
    assert (body["limit"], body["offset"], body["has_more"], body["next_cursor"]) == (50, 0, False, None)


async def test_the_list_shows_all_versions_on_request(world: World) -> None:
    answer = await world.alice.get(f"{API}/definitions", params={"active_only": False, "with_total": True})
    body = answer.json()
    assert [item["version"] for item in body["items"]] == ["1.9.0", "1.10.0", "1.0.0", "1.0.0", "1.0.0"]
    assert body["total"] == 5


async def test_the_list_is_read_page_by_page(world: World) -> None:
    seen, cursor = [], None
    while True:
        params: dict[str, Any] = {"limit": 1, "active_only": "false"} | ({} if cursor is None else {"cursor": cursor})
        body = (await world.alice.get(f"{API}/definitions", params=params)).json()
        seen += [(item["name"], item["version"]) for item in body["items"]]
        cursor = body["next_cursor"]
        assert body["has_more"] is (cursor is not None)
        if cursor is None:
            break
    assert seen == [
        ("approval", "1.9.0"),
        ("approval", "1.10.0"),
        ("callback", "1.0.0"),
        ("failing", "1.0.0"),
        ("signalled", "1.0.0"),
    ]


async def test_a_definition_shows_its_steps_and_edges(world: World) -> None:
    body = (await world.alice.get(f"{API}/definitions/approval")).json()
    assert body["version"] == "1.10.0"
    assert body["description"] == "Somebody approves a document."
    assert body["steps"] == ["submit", "review", "publish", "archive"]
    assert body["initial_step"] == "submit"
    assert set(body["terminal_steps"]) >= {"publish"}
    assert [(edge["source"], edge["target"], edge["condition"]) for edge in body["edges"]] == [
        ("submit", "review", None),
        ("review", "publish", "approved"),
        ("review", "archive", None),
    ]
    assert [step["step_type"] for step in body["step_details"]] == ["machine", "human", "machine", "machine"]
    assert body["input_schema"]["required"] == ["document"]


async def test_a_definition_is_found_by_its_version(world: World) -> None:
    body = (await world.alice.get(f"{API}/definitions/approval", params={"version": "1.9.0"})).json()
    assert body["version"] == "1.9.0"


async def test_an_unknown_workflow_names_those_that_are_near(world: World) -> None:
    answer = await world.alice.get(f"{API}/definitions/approvals")
    problem = is_problem(answer, 404, "workflow-not-found")
    assert problem["near"] == ["approval"]
    assert "did you mean approval?" in problem["detail"]
    assert problem["instance"] == f"{API}/definitions/approvals"


async def test_an_unknown_version_names_those_that_exist(world: World) -> None:
    answer = await world.alice.get(f"{API}/definitions/approval", params={"version": "7"})
    assert "1.10.0" in is_problem(answer, 404, "workflow-not-found")["near"]


async def test_versions_are_listed_oldest_first(world: World) -> None:
    body = (await world.alice.get(f"{API}/definitions/approval/versions")).json()
    assert [(item["version"], item["is_latest"]) for item in body["items"]] == [("1.9.0", False), ("1.10.0", True)]
    assert len({item["graph_hash"] for item in body["items"]}) == 2


async def test_versions_of_an_unknown_workflow_are_not_found(world: World) -> None:
    is_problem(await world.alice.get(f"{API}/definitions/nothing/versions"), 404, "workflow-not-found")


async def test_a_definition_is_drawn_as_mermaid_by_default(world: World) -> None:
    body = (await world.alice.get(f"{API}/definitions/approval/graph")).json()
    assert body["format"] == "mermaid"
    assert body["graph"].startswith("flowchart TD")
    assert "review" in body["graph"]
    assert body["step_states"] == {}


async def test_a_definition_is_drawn_as_dot(world: World) -> None:
    body = (await world.alice.get(f"{API}/definitions/approval/graph", params={"format": "dot"})).json()
    assert body["graph"].startswith("digraph")


async def test_a_definition_is_given_as_json(world: World) -> None:
    params = {"format": "json", "version": "1.9.0"}
    body = (await world.alice.get(f"{API}/definitions/approval/graph", params=params)).json()
    assert list(body["graph"]["nodes"]) == ["submit", "review", "publish", "archive"]
    assert body["workflow_version"] == "1.9.0"


async def test_another_format_is_refused_with_its_place(world: World) -> None:
    answer = await world.alice.get(f"{API}/definitions/approval/graph", params={"format": "png"})
    (error,) = is_problem(answer, 400, "bad-request")["errors"]
    assert (error["source"], error["pointer"]) == ("query", "format")


@pytest.mark.parametrize("cursor", ["x", "-1", "9" * 30, "\u0661"])
async def test_a_cursor_of_another_list_is_refused(world: World, cursor: str) -> None:
    answer = await world.alice.get(f"{API}/definitions", params={"cursor": cursor})
    is_problem(answer, 400, "invalid-cursor")
