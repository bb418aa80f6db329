"""An application with workflows, and its people: users of two tenants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from httpx import AsyncClient, Response
from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.exceptions import PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult

from workflows_core import (
    BaseHumanStep,
    BaseMachineStep,
    Edge,
    WaitForSignal,
    WebhookStep,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowEngine,
)

API = "/workflows/api"

DATABASES = pytest.mark.parametrize("engine", ["memory", "sqlite"], indirect=True)
"""Runs a test, or all of a module, on each store."""


@dataclass
class User:
    id: str
    tenant_id: str = "acme"
    groups: list[str] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)


USERS = {
    user.id: user
    for user in (
        User("alice", groups=["managers"]),
        User("bob", groups=["managers"]),
        User("carol"),
        User("root", roles=["admin", "operator"]),
        User("mallory", tenant_id="evil", groups=["managers"], roles=["admin"]),
    )
}


class HeaderAuthentication(AbstractAuthenticationMiddleware):
    """Believes the header `X-User`, as a test may."""

    async def authenticate_request(self, connection: ASGIConnection[Any, Any, Any, Any]) -> AuthenticationResult:
        return AuthenticationResult(user=USERS.get(connection.headers.get("x-user", "")), auth=None)


def operators_only(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    user = connection.scope.get("user")
    if user is None or "operator" not in user.roles:
        raise PermissionDeniedException(detail="Operators only.")


class Submit(BaseMachineStep):
    name = "submit"

    async def execute(self, context: WorkflowContext) -> None:
        context.set("submitted", True)


class Review(BaseHumanStep):
    name = "review"
    title = "Review {document}"
    candidate_groups = ["managers"]
    form_schema = {
        "type": "object",
        "properties": {"approved": {"type": "boolean"}, "note": {"type": "string", "maxLength": 20}},
        "required": ["approved"],
    }


class Publish(BaseMachineStep):
    name = "publish"

    async def execute(self, context: WorkflowContext) -> str:
        return f"published {context.get('document')}"


class Archive(BaseMachineStep):
    name = "archive"

    async def execute(self, context: WorkflowContext) -> None:
        """Nothing is left to do."""


class Explode(BaseMachineStep):
    name = "explode"

    async def execute(self, context: WorkflowContext) -> None:
        raise RuntimeError("the disk is on fire")


def workflow_definitions() -> list[WorkflowDefinition]:
    approval: dict[str, Any] = {
        "steps": [Submit(), Review(), Publish(), Archive()],
        "edges": [("submit", "review"), ("review", "publish", "approved"), Edge("review", "archive", default=True)],
        "input_schema": {
            "type": "object",
            "properties": {"document": {"type": "string"}, "amount": {"type": "number", "minimum": 0}},
            "required": ["document"],
        },
    }
    return [
        WorkflowDefinition("approval", "1.9.0", "Somebody approves a document.", **approval),
        WorkflowDefinition("approval", "1.10.0", "Somebody approves a document.", **approval),
        WorkflowDefinition("failing", "1.0.0", steps=[Explode()]),
        WorkflowDefinition(
            "callback",
            "1.0.0",
            steps=[
                WebhookStep(
                    name="await_payment",
                    payload_schema={
                        "type": "object",
                        "properties": {"paid": {"type": "boolean"}},
                        "required": ["paid"],
                    },
                    into="payment",
                )
            ],
        ),
        WorkflowDefinition(
            "signalled",
            "1.0.0",
            steps=[WaitForSignal(name="wait", signal="go", payload_schema={"type": ["integer", "null"]})],
        ),
    ]


@dataclass
class World:
    """The application and its people."""

    app: Litestar
    engine: WorkflowEngine
    client_of: Callable[[str | None], AsyncClient]

    @property
    def alice(self) -> AsyncClient:
        return self.client_of("alice")

    @property
    def bob(self) -> AsyncClient:
        return self.client_of("bob")

    @property
    def mallory(self) -> AsyncClient:
        return self.client_of("mallory")

    @property
    def nobody(self) -> AsyncClient:
        return self.client_of(None)

    async def start(
        self, workflow: str = "approval", data: Mapping[str, Any] | None = None, *, actor: str = "carol", **more: Any
    ) -> str:
        """Start an instance, wait until it rests, and give its id."""
        body = {"workflow_name": workflow, "initial_data": {"document": "plan.md"} if data is None else data, **more}
        answer = await self.client_of(actor).post(f"{API}/instances", json=body)
        assert answer.status_code == 201, answer.text
        instance_id: str = answer.json()["id"]
        await self.engine.wait(UUID(instance_id), timeout=5)
        return instance_id

    async def finished(self, instance_id: str) -> None:
        """Wait until an instance is over."""
        assert (await self.engine.wait(UUID(instance_id), timeout=5)).status.is_final

    async def open_task(self, **more: Any) -> dict[str, Any]:
        """Start an approval and give its open task."""
        instance_id = await self.start(**more)
        answer = await self.alice.get(f"{API}/tasks", params={"instance_id": instance_id})
        items: list[dict[str, Any]] = answer.json()["items"]
        (task,) = items
        return task


@asynccontextmanager
async def running(app: Litestar) -> AsyncIterator[None]:
    """Run the lifespan of an application in a task of its own, as a server does: it must end in the task that began it."""
    started, stop = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            started.set()
            await stop.wait()

    life, begun = asyncio.create_task(live()), asyncio.create_task(started.wait())
    await asyncio.wait({life, begun}, return_when=asyncio.FIRST_COMPLETED)
    begun.cancel()
    if life.done():
        await life
    try:
        yield
    finally:
        stop.set()
        await life


MakeApp = Callable[..., Litestar]
OpenWorld = Callable[[Litestar], Awaitable[World]]


def is_problem(answer: Response, status: int, slug: str) -> dict[str, Any]:
    """The answer is that problem; its body."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["type"] == f"urn:workflows:problem:{slug}"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    return body
