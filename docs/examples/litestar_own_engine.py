"""The application makes, opens and closes the engine itself, and says in its own words who acts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import Provide
from litestar.testing import AsyncTestClient
from quickstart import Expense

from workflows_core import Actor, LocalExecutionEngine, WorkflowEngine, WorkflowRegistry
from workflows_litestar import WorkflowPlugin, WorkflowPluginConfig


@asynccontextmanager
async def engine_lifespan(app: Litestar) -> AsyncGenerator[None]:
    registry = WorkflowRegistry()
    registry.register(Expense)
    async with LocalExecutionEngine(registry) as engine:
        app.state.engine = engine
        yield


def provide_engine(state: State) -> WorkflowEngine:
    engine: WorkflowEngine = state.engine
    return engine


async def actor_from_proxy(connection: ASGIConnection[Any, Any, Any, Any]) -> Actor | None:
    """The proxy in front has authenticated the user, and sets these headers; from outside they cannot come."""
    user = connection.headers.get("X-Forwarded-User")
    if user is None:
        return None
    groups = connection.headers.get("X-Forwarded-Groups", "").split(",")
    return Actor(user, groups=frozenset(groups), tenant=connection.headers.get("X-Forwarded-Tenant", ""))


def create_app() -> Litestar:
    config = WorkflowPluginConfig(path_prefix="/processes", actor_provider=actor_from_proxy)
    return Litestar(
        plugins=[WorkflowPlugin(config)],
        dependencies={"workflow_engine": Provide(provide_engine, sync_to_thread=False)},
        lifespan=[engine_lifespan],
        logging_config=None,
    )


async def main() -> None:
    async with AsyncTestClient(create_app()) as client:
        headers = {"X-Forwarded-User": "emil", "X-Forwarded-Tenant": "north"}
        found = await client.get("/processes/api/definitions", headers=headers)
        print([definition["name"] for definition in found.json()["items"]])


if __name__ == "__main__":
    asyncio.run(main())
