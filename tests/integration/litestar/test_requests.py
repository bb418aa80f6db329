"""Requests that are refused before the engine is asked: malformed, too large, not JSON, and what is not ours."""

from __future__ import annotations

from typing import Any

import pytest
from litestar import Litestar, get, post
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException
from litestar.handlers import BaseRouteHandler
from litestar.params import FromQuery, JSONBody
from tests.integration.litestar.world import API, MakeApp, OpenWorld, World, is_problem

from workflows_core import StoreUnavailableError, WorkflowEngine


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/workflow_name"),
        ({"workflow_name": ""}, "/workflow_name"),
        ({"workflow_name": "x" * 256}, "/workflow_name"),
        ({"workflow_name": 3}, "/workflow_name"),
        ({"workflow_name": "approval", "initial_data": [1]}, "/initial_data"),
        ({"workflow_name": "approval", "tenant_id": "evil"}, "/tenant_id"),
        ({"workflow_name": "approval", "idempotency_key": ""}, "/idempotency_key"),
        ({"workflow_name": "approval", "a/b~c": 1}, "/a~1b~0c"),
        ([], ""),
        ("text", ""),
    ],
)
async def test_a_body_of_another_shape_is_refused_with_its_place(world: World, body: Any, pointer: str) -> None:
    answer = await world.alice.post(f"{API}/instances", json=body)
    (error,) = is_problem(answer, 400, "bad-request")["errors"]
    assert (error["source"], error["pointer"]) == ("body", pointer)
    assert error["message"]


@pytest.mark.parametrize("raw", [b"{", b'{"workflow_name": "\xff"}', b"\x00", b"{} {}", b"nothing", b"[" * 100_000])
async def test_a_body_that_is_no_json_is_malformed(world: World, raw: bytes) -> None:
    answer = await world.alice.post(f"{API}/instances", content=raw, headers={"Content-Type": "application/json"})
    is_problem(answer, 400, "bad-request")


async def test_an_empty_body_is_malformed(world: World) -> None:
    answer = await world.alice.post(f"{API}/instances", headers={"Content-Type": "application/json"})
    (error,) = is_problem(answer, 400, "bad-request")["errors"]
    assert error["message"] == "a JSON body is required"


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None])
@pytest.mark.parametrize("path", ["/instances", "/webhooks/abc"])
async def test_a_body_that_is_not_declared_as_json_is_refused(world: World, path: str, media_type: str | None) -> None:
    headers = {} if media_type is None else {"Content-Type": media_type}
    answer = await world.alice.post(f"{API}{path}", content=b'{"workflow_name": "callback"}', headers=headers)
    is_problem(answer, 415, "unsupported-media-type")


async def test_a_body_may_be_declared_as_a_kind_of_json(world: World) -> None:
    headers = {"Content-Type": "application/vnd.acme+json; charset=utf-8"}
    answer = await world.alice.post(f"{API}/instances", content=b'{"workflow_name": "callback"}', headers=headers)
    assert answer.status_code == 201


async def test_a_body_beyond_the_limit_is_refused(make_app: MakeApp, open_world: OpenWorld) -> None:
    world = await open_world(make_app(max_body_bytes=100))
    body = {"workflow_name": "callback", "initial_data": {"blob": "x" * 100}}
    is_problem(await world.alice.post(f"{API}/instances", json=body), 413, "request-too-large")


async def test_a_store_that_is_down_is_named_without_its_address(
    make_app: MakeApp, open_world: OpenWorld, engine: WorkflowEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await open_world(make_app())

    async def unavailable(*args: Any, **kwargs: Any) -> None:
        raise StoreUnavailableError("connection to 10.0.0.7:5432 refused")

    monkeypatch.setattr(engine.queries, "list_instances", unavailable)
    answer = await world.alice.get(f"{API}/instances")
    problem = is_problem(answer, 503, "store-unavailable")
    assert "10.0.0.7" not in answer.text
    assert "ask again" in problem["detail"]
    assert int(answer.headers["retry-after"]) > 0


async def test_an_error_that_nobody_foresaw_is_logged_and_withheld(
    make_app: MakeApp,
    open_world: OpenWorld,
    engine: WorkflowEngine,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = await open_world(make_app())

    async def broken(*args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError("secret of the inside")

    monkeypatch.setattr(engine.queries, "list_instances", broken)
    answer = await world.alice.get(f"{API}/instances")
    is_problem(answer, 500, "internal-error")
    assert "secret of the inside" not in answer.text
    assert "secret of the inside" in caplog.text


async def test_debug_mode_shows_the_error(
    make_app: MakeApp, open_world: OpenWorld, engine: WorkflowEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app()
    app.debug = True
    world = await open_world(app)

    async def broken(*args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError("seen while debugging")

    monkeypatch.setattr(engine.queries, "list_instances", broken)
    problem = is_problem(await world.alice.get(f"{API}/instances"), 500, "internal-error")
    assert "seen while debugging" in problem["detail"]


async def test_the_other_routes_of_the_application_keep_their_errors(
    engine: WorkflowEngine, open_world: OpenWorld
) -> None:
    from workflows_litestar import WorkflowPlugin, WorkflowPluginConfig

    @get("/mine", sync_to_thread=False)
    def mine(limit: FromQuery[int]) -> dict[str, int]:
        raise NotAuthorizedException(detail="not you")

    @post("/echo", sync_to_thread=False)
    def echo(data: JSONBody[dict[str, int]]) -> dict[str, int]:
        return data

    app = Litestar(route_handlers=[mine, echo], plugins=[WorkflowPlugin(WorkflowPluginConfig(engine=engine))])
    world = await open_world(app)
    refused = await world.nobody.get("/mine", params={"limit": 1})
    assert refused.json() == {"status_code": 401, "detail": "not you"}
    assert refused.headers["content-type"] == "application/json"
    malformed = await world.nobody.get("/mine", params={"limit": "x"})
    assert malformed.json()["status_code"] == 400
    assert (await world.nobody.get("/nowhere")).json() == {"status_code": 404, "detail": "Not Found"}
    assert (await world.nobody.post("/echo", content=b'{"a": 1}', headers={"Content-Type": "text/plain"})).json() == {
        "a": 1
    }


async def test_handlers_of_the_application_do_not_replace_ours(engine: WorkflowEngine, open_world: OpenWorld) -> None:
    from litestar import Request, Response

    from workflows_litestar import WorkflowPlugin, WorkflowPluginConfig

    def page(request: Request[Any, Any, Any], error: Exception) -> Response[str]:
        return Response("a page", media_type="text/html")

    handlers: dict[int | type[Exception], Any] = {400: page, 401: page, 404: page, 500: page, Exception: page}
    plugin = WorkflowPlugin(WorkflowPluginConfig(engine=engine, allow_anonymous=True))
    world = await open_world(Litestar(plugins=[plugin], exception_handlers=handlers))
    is_problem(await world.nobody.get(f"{API}/instances", params={"limit": "x"}), 400, "bad-request")
    is_problem(await world.nobody.get(f"{API}/definitions/nothing"), 404, "workflow-not-found")


async def test_an_error_class_of_the_application_keeps_its_handler_on_our_routes(
    engine: WorkflowEngine, open_world: OpenWorld
) -> None:
    from litestar import Request, Response

    from workflows_litestar import WorkflowPlugin, WorkflowPluginConfig

    class OutOfLicenseError(Exception):
        pass

    def licensed(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        raise OutOfLicenseError

    def teapot(request: Request[Any, Any, Any], error: OutOfLicenseError) -> Response[str]:
        return Response("buy one", status_code=418)

    plugin = WorkflowPlugin(WorkflowPluginConfig(engine=engine, auth_guard=licensed))
    world = await open_world(Litestar(plugins=[plugin], exception_handlers={OutOfLicenseError: teapot}))
    assert (await world.nobody.get(f"{API}/instances")).status_code == 418
