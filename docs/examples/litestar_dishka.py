"""The engine, its store and what its steps need come from a dishka container."""

from __future__ import annotations

import asyncio
from uuid import UUID

from dishka import AsyncContainer, FromDishka, Provider, Scope, make_async_container, provide
from dishka.integrations.litestar import setup_dishka
from litestar import Litestar
from litestar.testing import AsyncTestClient

from workflows_core import (
    Actor,
    BaseMachineStep,
    EngineSettings,
    InMemoryWorkflowQueries,
    InMemoryWorkflowStore,
    MemoryState,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowEngine,
    WorkflowRegistry,
)
from workflows_core.ports.queries import WorkflowQueries
from workflows_core.ports.store import WorkflowStore
from workflows_dishka import WorkflowsProvider
from workflows_litestar import WorkflowPlugin, WorkflowPluginConfig


class Mailer:
    """Something of the application that a step needs."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def send(self, text: str) -> None:
        self.sent.append(text)


class Welcome(BaseMachineStep):
    """A step asks for what it needs, and gets it out of the container."""

    async def execute(self, context: WorkflowContext, mailer: FromDishka[Mailer]) -> None:
        await mailer.send(f"Welcome, {context.get('name')}!")


class ApplicationProvider(Provider):
    """What is the application's own: the workflows, and where they are kept."""

    scope = Scope.APP
    mailer = provide(Mailer)

    @provide
    def registry(self) -> WorkflowRegistry:
        registry = WorkflowRegistry()
        registry.register(WorkflowDefinition("onboarding", steps=[Welcome]))
        return registry

    @provide
    def memory(self) -> MemoryState:
        return MemoryState()

    @provide
    def store(self, memory: MemoryState) -> WorkflowStore:
        return InMemoryWorkflowStore(memory)

    @provide
    def queries(self, memory: MemoryState) -> WorkflowQueries:
        return InMemoryWorkflowQueries(memory)

    @provide(override=True)
    def settings(self) -> EngineSettings:
        """Replaces the default of `WorkflowsProvider`."""
        return EngineSettings(secret=b"from your secret store", poll_s=0.05)


async def engine_of(app: Litestar) -> WorkflowEngine:
    """Called when the application starts."""
    engine: WorkflowEngine = await app.state.dishka_container.get(WorkflowEngine)
    return engine


def create_app(container: AsyncContainer) -> Litestar:
    config = WorkflowPluginConfig(engine=engine_of, run_worker=True, allow_anonymous=True, anonymous_actor=Actor("me"))
    app = Litestar(plugins=[WorkflowPlugin(config)], logging_config=None)
    setup_dishka(container, app)
    return app


async def main() -> None:
    container = make_async_container(WorkflowsProvider(), ApplicationProvider())
    async with AsyncTestClient(create_app(container)) as client:
        body = {"workflow_name": "onboarding", "initial_data": {"name": "Ada"}}
        started = await client.post("/workflows/api/instances", json=body)
        engine = await container.get(WorkflowEngine)
        finished = await engine.wait(UUID(started.json()["id"]), timeout=5)
        print(finished.status, (await container.get(Mailer)).sent)
    await container.close()


if __name__ == "__main__":
    asyncio.run(main())
