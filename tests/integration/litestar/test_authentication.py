"""Who may ask for anything at all."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult, DefineMiddleware
from tests.integration.litestar.world import API, MakeApp, OpenWorld, World, is_problem

from workflows_core import Actor, WorkflowEngine
from workflows_litestar import WorkflowPlugin, WorkflowPluginConfig

READING = [
    "/definitions",
    "/definitions/approval",
    "/instances",
    f"/instances/{uuid4()}",
    "/dead-letters",
    "/tasks",
    f"/tasks/{uuid4()}",
]
MUTATING = {
    "/instances": {"workflow_name": "approval", "initial_data": {"document": "a"}},
    f"/instances/{uuid4()}/cancel": {},
    f"/instances/{uuid4()}/terminate": {},
    f"/instances/{uuid4()}/retry": {},
    f"/instances/{uuid4()}/discard": {},
    "/dead-letters/retry": {"matching": {}},
    "/dead-letters/discard": {"matching": {}},
    f"/instances/{uuid4()}/signals/go": {"payload": 1},
    f"/tasks/{uuid4()}/complete": {"form_data": {}},
    f"/tasks/{uuid4()}/reassign": {"assignee_id": "bob"},
}


@pytest.mark.parametrize("authenticated", [True, False], ids=["with authentication", "without any authentication"])
async def test_nobody_is_refused_everywhere(make_app: MakeApp, open_world: OpenWorld, authenticated: bool) -> None:
    world = await open_world(make_app(authenticated=authenticated))
    for path in READING:
        is_problem(await world.nobody.get(API + path), 401, "not-authenticated")
    for path, body in MUTATING.items():
        is_problem(await world.nobody.post(API + path, json=body), 401, "not-authenticated")


async def test_anonymous_requests_act_as_the_anonymous_actor_where_they_are_allowed(
    make_app: MakeApp, open_world: OpenWorld
) -> None:
    world = await open_world(make_app(authenticated=False, allow_anonymous=True, admin_guard=None))
    started = await world.nobody.post(f"{API}/instances", json={"workflow_name": "callback"})
    assert started.status_code == 201
    assert (started.json()["created_by"], started.json()["tenant_id"]) == ("anonymous", "")
    assert (await world.nobody.get(f"{API}/tasks")).status_code == 200
    assert (await world.nobody.get("/workflows/admin/stats")).status_code == 200


async def test_the_anonymous_actor_can_be_given_roles(make_app: MakeApp, open_world: OpenWorld) -> None:
    actor = Actor("developer", roles=frozenset({"admin"}), tenant="acme")
    world = await open_world(
        make_app(authenticated=False, allow_anonymous=True, anonymous_actor=actor, admin_guard=None)
    )
    started = await world.nobody.post(f"{API}/instances", json={"workflow_name": "callback"})
    assert (started.json()["created_by"], started.json()["tenant_id"]) == ("developer", "acme")


async def test_who_is_known_is_not_anonymous_where_anonymous_requests_are_allowed(
    make_app: MakeApp, open_world: OpenWorld
) -> None:
    world = await open_world(make_app(allow_anonymous=True))
    started = await world.alice.post(f"{API}/instances", json={"workflow_name": "callback"})
    assert started.json()["created_by"] == "alice"


async def test_the_guard_of_the_api_is_asked_first(make_app: MakeApp, open_world: OpenWorld) -> None:
    def refuse(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        raise NotAuthorizedException(detail="token expired", headers={"WWW-Authenticate": "Bearer"})

    world = await open_world(make_app(auth_guard=refuse))
    answer = await world.alice.get(f"{API}/instances")
    assert is_problem(answer, 401, "not-authenticated")["detail"] == "token expired"
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_guard_may_forbid(make_app: MakeApp, open_world: OpenWorld) -> None:
    def refuse(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        raise PermissionDeniedException(detail="not in this house")

    world = await open_world(make_app(auth_guard=refuse))
    is_problem(await world.alice.get(f"{API}/instances"), 403, "permission-denied")


@pytest.mark.parametrize("asynchronous", [True, False])
async def test_the_application_may_say_who_acts(make_app: MakeApp, open_world: OpenWorld, asynchronous: bool) -> None:
    def from_header(connection: ASGIConnection[Any, Any, Any, Any]) -> Actor:
        return Actor(connection.headers["x-service"], tenant="acme")

    async def from_header_later(connection: ASGIConnection[Any, Any, Any, Any]) -> Actor:
        return from_header(connection)

    world = await open_world(make_app(actor_provider=from_header_later if asynchronous else from_header))
    answer = await world.nobody.post(
        f"{API}/instances", json={"workflow_name": "callback"}, headers={"X-Service": "billing"}
    )
    assert answer.json()["created_by"] == "billing"


async def test_a_user_without_an_id_is_a_fault_of_the_application(
    make_app: MakeApp, open_world: OpenWorld, caplog: pytest.LogCaptureFixture
) -> None:
    def provider(connection: ASGIConnection[Any, Any, Any, Any]) -> Actor | None:
        from workflows_litestar import actor_from_user

        connection.scope["user"] = object()
        return actor_from_user(connection)

    world = await open_world(make_app(actor_provider=provider))
    is_problem(await world.alice.get(f"{API}/instances"), 500, "internal-error")
    assert "actor_provider" in caplog.text


async def test_a_refusal_by_the_authentication_of_the_application_is_a_problem_too(
    engine: WorkflowEngine, open_world: OpenWorld
) -> None:
    class Strict(AbstractAuthenticationMiddleware):
        async def authenticate_request(self, connection: ASGIConnection[Any, Any, Any, Any]) -> AuthenticationResult:
            raise NotAuthorizedException(detail="no token")

    app = Litestar(plugins=[WorkflowPlugin(WorkflowPluginConfig(engine=engine))], middleware=[DefineMiddleware(Strict)])
    world = await open_world(app)
    is_problem(await world.nobody.get(f"{API}/instances"), 401, "not-authenticated")
    is_problem(await world.nobody.post(f"{API}/webhooks/x", json={}), 404, "webhook-not-found")


async def test_answers_are_not_kept_by_caches(world: World) -> None:
    assert (await world.alice.get(f"{API}/instances")).headers["cache-control"] == "no-store"
