"""A tenant never reads or changes what belongs to another one: proved for every route that the plugin mounts."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from tests.integration.litestar.world import API, DATABASES, MakeApp, World, is_problem

pytestmark = DATABASES


class Attempt(NamedTuple):
    """What the other tenant tries, and what it gets."""

    method: str
    path: str
    body: dict[str, Any] | None
    status: int


ATTEMPTS = {
    "getWorkflowInstance": Attempt("GET", "/instances/{instance}", None, 404),
    "getWorkflowInstanceGraph": Attempt("GET", "/instances/{instance}/graph", None, 404),
    "listStepExecutions": Attempt("GET", "/instances/{instance}/history", None, 404),
    "listWorkflowEvents": Attempt("GET", "/instances/{instance}/events", None, 404),
    "cancelWorkflowInstance": Attempt("POST", "/instances/{instance}/cancel", {"reason": "mine now"}, 404),
    "terminateWorkflowInstance": Attempt("POST", "/instances/{instance}/terminate", {"reason": "mine now"}, 404),
    "retryWorkflowInstance": Attempt("POST", "/instances/{failed}/retry", {"data": {"mine": True}}, 404),
    "discardWorkflowInstance": Attempt("POST", "/instances/{failed}/discard", {"reason": "mine now"}, 404),
    "signalWorkflowInstance": Attempt("POST", "/instances/{signalled}/signals/go", {"payload": 7}, 404),
    "getHumanTask": Attempt("GET", "/tasks/{task}", None, 404),
    "completeHumanTask": Attempt("POST", "/tasks/{task}/complete", {"form_data": {"approved": True}}, 404),
    "reassignHumanTask": Attempt("POST", "/tasks/{task}/reassign", {"assignee_id": "mallory"}, 404),
    "listWorkflowInstances": Attempt("GET", "/instances?limit=100&with_total=true", None, 200),
    "listHumanTasks": Attempt(
        "GET", "/tasks?mine=false&status=pending&status=completed&instance_id={instance}", None, 200
    ),
    "listDeadLetters": Attempt("GET", "/dead-letters?limit=100&with_total=true", None, 200),
    "retryDeadLetters": Attempt("POST", "/dead-letters/retry", {"matching": {}}, 200),
    "discardDeadLetters": Attempt("POST", "/dead-letters/discard", {"matching": {}}, 200),
    "startWorkflowInstance": Attempt(
        "POST",
        "/instances",
        {"workflow_name": "approval", "initial_data": {"document": "secret plan"}, "idempotency_key": "shared"},
        201,
    ),
}
"""One attempt on every route that shows or changes what belongs to a tenant, by operation."""

WITHOUT_TENANT = {
    "listWorkflowDefinitions": "definitions belong to the application",
    "getWorkflowDefinition": "definitions belong to the application",
    "listWorkflowVersions": "definitions belong to the application",
    "getWorkflowDefinitionGraph": "definitions belong to the application",
    "receiveWebhook": "the signed address stands for one wait of one instance",
    "getWorkflowStats": "operators see all tenants",
    "listAllWorkflowInstances": "operators see all tenants",
    "listWorkItems": "operators see all tenants",
    "listAllDeadLetters": "operators see all tenants",
    "listStalledWorkflowInstances": "operators see all tenants",
    "listUnservedWork": "operators see all tenants",
}
"""Routes that know no tenant, with the reason."""


def operations(app: Litestar) -> set[str]:
    return {
        str(handler.operation_id)
        for route in app.routes
        if route.path.startswith("/workflows")
        for handler in getattr(route, "route_handlers", ())
        if isinstance(handler, HTTPRouteHandler) and "OPTIONS" not in handler.http_methods
    }


def test_every_route_is_either_tried_below_or_has_a_reason_not_to(make_app: MakeApp) -> None:
    assert operations(make_app()) == ATTEMPTS.keys() | WITHOUT_TENANT.keys()


async def places_of(world: World, **more: Any) -> dict[str, str]:
    """What our tenant has: a task of an instance that waits, one that waits for a signal, and one that has failed."""
    task = await world.open_task(data={"document": "secret plan"}, **more)
    return {
        "instance": task["instance_id"],
        "task": task["id"],
        "failed": await world.start("failing", {}),
        "signalled": await world.start("signalled", {}),
    }


async def what_ours_are(world: World, ours: dict[str, str]) -> list[Any]:
    return [
        (await world.alice.get(f"{API}/instances/{ours[which]}")).json()
        for which in ("instance", "failed", "signalled")
    ]


@pytest.mark.parametrize("operation", ATTEMPTS)
async def test_another_tenant_gets_nowhere(world: World, operation: str) -> None:
    attempt = ATTEMPTS[operation]
    ours = await places_of(world, idempotency_key="shared")
    before = await what_ours_are(world, ours)

    answer = await world.mallory.request(attempt.method, API + attempt.path.format(**ours), json=attempt.body)

    assert answer.status_code == attempt.status, answer.text
    if attempt.status == 404:
        nowhere = dict.fromkeys(ours, "0" * 32)
        missing = await world.mallory.request(attempt.method, API + attempt.path.format(**nowhere), json=attempt.body)
        assert missing.json()["type"] == answer.json()["type"], "what is hidden looks like what does not exist"
    elif attempt.method == "GET":
        assert answer.json()["items"] == []
        assert answer.json()["total"] in {0, None}
    elif "results" in answer.json():
        assert answer.json()["results"] == []
    else:
        assert answer.json()["id"] != ours["instance"]
        assert answer.json()["tenant_id"] == "evil"
    assert await what_ours_are(world, ours) == before


@pytest.mark.parametrize("operation", ATTEMPTS)
async def test_the_tenant_itself_succeeds(world: World, operation: str) -> None:
    """Otherwise the test above would prove nothing."""
    attempt = ATTEMPTS[operation]
    ours = await places_of(world)
    answer = await world.alice.request(attempt.method, API + attempt.path.format(**ours), json=attempt.body)
    assert answer.status_code in {200, 201}
    for several in ("items", "results"):
        assert answer.json().get(several) != []


async def test_a_role_of_another_tenant_is_no_role_here(world: World) -> None:
    ours = await world.open_task()
    assert "admin" in (await _roles(world))
    is_problem(await world.mallory.get(f"{API}/tasks/{ours['id']}"), 404, "task-not-found")


async def _roles(world: World) -> list[str]:
    """Mallory is an admin of her own tenant: she may complete what nobody assigned to her."""
    theirs = await world.start(actor="mallory")
    (task,) = (await world.mallory.get(f"{API}/tasks", params={"instance_id": theirs})).json()["items"]
    await world.mallory.post(f"{API}/tasks/{task['id']}/reassign", json={"assignee_id": "somebody"})
    done = await world.mallory.post(f"{API}/tasks/{task['id']}/complete", json={"form_data": {"approved": True}})
    return ["admin"] if done.status_code == 200 else []
