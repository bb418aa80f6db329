"""An application with workflows, users of two tenants, and a client for each of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, cast

import pytest
from httpx import ASGITransport, AsyncClient
from litestar import Litestar
from litestar.middleware.base import DefineMiddleware
from tests.integration.litestar.world import (
    API,
    HeaderAuthentication,
    MakeApp,
    OpenWorld,
    World,
    operators_only,
    running,
    workflow_definitions,
)

from workflows_core import (
    EngineSettings,
    InProcessEngine,
    LocalExecutionEngine,
    WorkflowEngine,
    WorkflowRegistry,
)
from workflows_litestar import WorkflowPlugin, WorkflowPluginConfig
from workflows_sqlalchemy import create_store, schema


@pytest.fixture
def registry() -> WorkflowRegistry:
    registry = WorkflowRegistry()
    for definition in workflow_definitions():
        registry.register_definition(definition)
    return registry


@pytest.fixture
def settings() -> EngineSettings:
    return EngineSettings(
        secret=b"only for these tests, 32 bytes..", public_url=f"http://testserver.local{API}", max_data_bytes=20_000
    )


@pytest.fixture
async def engine(
    request: pytest.FixtureRequest, registry: WorkflowRegistry, settings: EngineSettings, tmp_path: Path
) -> AsyncIterator[WorkflowEngine]:
    """An engine with a worker in its process; `DATABASES` runs a test on SQLite, too."""
    engine: WorkflowEngine
    if getattr(request, "param", "memory") == "memory":
        engine = LocalExecutionEngine(registry, settings=settings)
    else:
        url = f"sqlite:///{tmp_path}/workflows.db"
        await schema.upgrade(url)
        both = create_store(url, synchronous="NORMAL")
        engine = InProcessEngine(registry, store=both.store, queries=both.queries, settings=settings)
    yield engine
    await engine.aclose()


@pytest.fixture
def make_app(engine: WorkflowEngine) -> MakeApp:
    """Make an application with other settings of the plugin."""

    def make(*, authenticated: bool = True, plugins: list[Any] | None = None, **options: Any) -> Litestar:
        config = WorkflowPluginConfig(**{"engine": engine, "admin_guard": operators_only, **options})
        return Litestar(
            plugins=[WorkflowPlugin(config), *(plugins or [])],
            logging_config=None,
            middleware=[DefineMiddleware(HeaderAuthentication)] if authenticated else [],
        )

    return make


@pytest.fixture
async def open_world(engine: WorkflowEngine) -> AsyncIterator[OpenWorld]:
    """Start an application in the loop of the test; it is stopped after the test."""
    async with AsyncExitStack() as stack:

        async def enter(app: Litestar) -> World:
            await stack.enter_async_context(running(app))
            clients: dict[str | None, AsyncClient] = {}

            def client_of(user: str | None) -> AsyncClient:
                if user not in clients:
                    headers = {} if user is None else {"X-User": user}
                    transport = ASGITransport(cast("Any", app))
                    clients[user] = AsyncClient(
                        transport=transport, base_url="http://testserver.local", headers=headers
                    )
                return clients[user]

            return World(app, engine, client_of)

        yield enter


@pytest.fixture(scope="session")
def app() -> Litestar:
    """The application that most tests use; making one takes longer than a test."""

    def engine_of(app: Litestar) -> WorkflowEngine:
        found: WorkflowEngine = app.state.engine
        return found

    config = WorkflowPluginConfig(engine=engine_of, admin_guard=operators_only)
    return Litestar(
        plugins=[WorkflowPlugin(config)],
        logging_config=None,
        middleware=[DefineMiddleware(HeaderAuthentication)],
    )


@pytest.fixture
async def world(app: Litestar, engine: WorkflowEngine, open_world: OpenWorld) -> World:
    app.state.engine = engine
    return await open_world(app)
