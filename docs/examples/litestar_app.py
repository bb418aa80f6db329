"""A Litestar application with workflows: users with a token, two tenants, and a page for operators."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from litestar import Litestar, get
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult, DefineMiddleware
from litestar.testing import AsyncTestClient
from quickstart import Expense

from workflows_core import EngineSettings, LocalExecutionEngine, WorkflowEngine, WorkflowRegistry
from workflows_litestar import WorkflowPlugin, WorkflowPluginConfig


@dataclass
class User:
    """A user as your application knows it. The plugin reads `id`, `groups`, `roles` and `tenant_id`."""

    id: str
    tenant_id: str
    groups: set[str] = field(default_factory=set)
    roles: set[str] = field(default_factory=set)


USERS_BY_TOKEN = {
    "token of emil": User("emil", tenant_id="north"),
    "token of alice": User("alice", tenant_id="north", groups={"managers"}),
    "token of sven": User("sven", tenant_id="south", groups={"managers"}),
    "token of olga": User("olga", tenant_id="", roles={"operator"}),
}


class TokenAuthentication(AbstractAuthenticationMiddleware):
    """Stands for your own authentication: whatever sets `request.user` will do."""

    async def authenticate_request(self, connection: ASGIConnection[Any, Any, Any, Any]) -> AuthenticationResult:
        user = USERS_BY_TOKEN.get(connection.headers.get("Authorization", "").removeprefix("Bearer "))
        return AuthenticationResult(user=user, auth=None)


def operators_only(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """The guard of the routes for operators, who see all tenants."""
    if connection.user is None:
        raise NotAuthorizedException
    if "operator" not in connection.user.roles:
        raise PermissionDeniedException


@get("/expenses/open")
async def count_open_expenses(workflow_engine: NamedDependency[WorkflowEngine]) -> dict[str, int]:
    """A route of your own gets the engine by the name of its dependency."""
    return {"open": len(await workflow_engine.get_pending_tasks(workflow_name="expense"))}


def create_engine() -> LocalExecutionEngine:
    registry = WorkflowRegistry()
    registry.register(Expense)
    settings = EngineSettings(secret=b"from your secret store", public_url="https://example.org/workflows/api")
    return LocalExecutionEngine(registry, settings=settings)


def create_app(engine: WorkflowEngine) -> Litestar:
    plugin = WorkflowPlugin(WorkflowPluginConfig(engine=engine, admin_guard=operators_only))
    return Litestar(
        route_handlers=[count_open_expenses],
        plugins=[plugin],
        middleware=[DefineMiddleware(TokenAuthentication)],
        logging_config=None,
    )


async def main() -> None:
    engine = create_engine()
    async with AsyncTestClient(create_app(engine)) as client:

        async def ask(user: str, what: str, method: str, path: str, body: Any = None) -> Any:
            headers = {"Authorization": f"Bearer token of {user}"}
            response = await client.request(method, path, json=body, headers=headers)
            answer = response.json()
            print(f"{user} {what}: {response.status_code}", answer.get("type", ""))
            return answer

        instances, tasks = "/workflows/api/instances", "/workflows/api/tasks"
        start = {"workflow_name": "expense", "initial_data": {"amount": 42, "purpose": "a train", "receipt": "r.pdf"}}
        await ask("nobody", "starts", "POST", instances, start)
        await ask("emil", "misspells", "POST", instances, {**start, "workflow_name": "expensee"})
        instance = await ask("emil", "starts", "POST", instances, start)
        await engine.wait(UUID(instance["id"]), timeout=5)

        inbox = await ask("alice", "looks into her inbox", "GET", tasks)
        task = f"{tasks}/{inbox['items'][0]['id']}"
        await ask("sven", "looks at the same task", "GET", task)
        refused = await ask("alice", "fills in the form wrongly", "POST", f"{task}/complete", {"form_data": {}})
        print("  ", refused["errors"])
        await ask("alice", "approves", "POST", f"{task}/complete", {"form_data": {"approved": True}})
        again = await ask("alice", "approves again", "POST", f"{task}/complete", {"form_data": {"approved": True}})
        print("  ", again["detail"].partition(" at ")[0].replace(inbox["items"][0]["id"], "…"))

        await ask("alice", "counts", "GET", "/workflows/admin/stats")
        await ask("olga", "counts", "GET", "/workflows/admin/stats")
        await ask("nobody", "asks a route of the application", "GET", "/expenses/open")


if __name__ == "__main__":
    asyncio.run(main())
