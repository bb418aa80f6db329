"""The engine from a dishka container, in a script and in a Litestar application."""

from __future__ import annotations

import asyncio
from typing import Any

from dishka import AsyncContainer, Provider, Scope, make_async_container, provide
from dishka.integrations.litestar import FromDishka, LitestarProvider, inject, setup_dishka
from litestar import Litestar, Request, get
from litestar.di import Provide
from litestar.testing import AsyncTestClient

from workflows_core import (
    BaseMachineStep,
    EngineSettings,
    EventBus,
    InMemoryWorkflowQueries,
    InMemoryWorkflowStore,
    MemoryState,
    SystemClock,
    Worker,
    WorkflowCompleted,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowEngine,
    WorkflowRegistry,
)
from workflows_core.ports.clock import Clock
from workflows_core.ports.queries import WorkflowQueries
from workflows_core.ports.store import WorkflowStore
from workflows_dishka import WorkflowsProvider
from workflows_litestar import WorkflowPlugin, WorkflowPluginConfig


class Greet(BaseMachineStep):
    name = "greet"

    async def execute(self, context: WorkflowContext) -> None:
        context.set("greeting", "hello")


class OwnProvider(Provider):
    """What every application provides itself."""

    scope = Scope.APP

    @provide
    def registry(self) -> WorkflowRegistry:
        registry = WorkflowRegistry()
        registry.register(WorkflowDefinition("greeting", "1.0.0", steps=[Greet()]))
        return registry

    @provide
    def memory(self, clock: Clock) -> MemoryState:
        return MemoryState(clock)

    @provide
    def store(self, memory: MemoryState) -> WorkflowStore:
        return InMemoryWorkflowStore(memory)

    @provide
    def queries(self, memory: MemoryState) -> WorkflowQueries:
        return InMemoryWorkflowQueries(memory)


class ShortPolls(Provider):
    @provide(scope=Scope.APP, override=True)
    def settings(self) -> EngineSettings:
        return EngineSettings(poll_s=0.02)


def container() -> AsyncContainer:
    return make_async_container(WorkflowsProvider(), OwnProvider(), ShortPolls(), LitestarProvider())


async def test_the_container_wires_an_engine_over_the_ports_of_the_application() -> None:
    services = container()
    engine = await services.get(WorkflowEngine)
    assert engine is await services.get(WorkflowEngine), "one for each container"
    assert engine.store is await services.get(WorkflowStore)
    assert engine.registry is await services.get(WorkflowRegistry)
    assert isinstance(await services.get(Clock), SystemClock)
    await services.close()


async def test_a_provider_that_comes_later_replaces_a_default() -> None:
    services = container()
    assert (await services.get(WorkflowEngine)).settings.poll_s == 0.02
    await services.close()


async def test_an_instance_runs_and_the_listeners_of_the_container_hear_of_it() -> None:
    services = container()
    engine, bus = await services.get(WorkflowEngine), await services.get(EventBus)
    heard: list[WorkflowCompleted] = []
    bus.subscribe(WorkflowCompleted, heard.append)
    await engine.open()
    instance = await engine.start_workflow("greeting", {})
    worker = Worker(engine)
    task = asyncio.create_task(worker.run())
    done = await engine.wait(instance.id, timeout=5)
    await worker.stop()
    await task
    assert done.data == {"greeting": "hello"}
    assert [event.instance_id for event in heard] == [instance.id]
    await services.close()


async def test_closing_the_container_closes_the_store() -> None:
    services = container()
    closed: list[str] = []
    engine = await services.get(WorkflowEngine)

    async def close() -> None:
        closed.append("store")

    engine.store.close = close  # type: ignore[method-assign]
    assert closed == []
    await services.close()
    assert closed == ["store"]


@get("/names")
@inject
async def names(engine: FromDishka[WorkflowEngine]) -> list[str]:
    return [graph.name for graph in await engine.list_graphs()]


async def test_the_plugin_gets_the_engine_of_the_container_when_the_application_starts() -> None:
    services = container()

    async def engine_of(app: Litestar) -> WorkflowEngine:
        found: AsyncContainer = app.state.dishka_container
        return await found.get(WorkflowEngine)

    app = Litestar(
        route_handlers=[names],
        plugins=[WorkflowPlugin(WorkflowPluginConfig(engine=engine_of, allow_anonymous=True))],
        on_shutdown=[services.close],
    )
    setup_dishka(services, app)
    async with AsyncTestClient(app) as client:
        assert (await client.get("/names")).json() == ["greeting"]
        found = (await client.get("/workflows/api/definitions")).json()["items"]
        assert [item["name"] for item in found] == ["greeting"]


async def test_the_plugin_gets_the_engine_of_the_request_through_a_bridge() -> None:
    """The other way: one dependency that asks the container of the request; opening the engine is then the application's part."""

    async def provide_engine(request: Request[Any, Any, Any]) -> WorkflowEngine:
        found: AsyncContainer = request.state.dishka_container
        return await found.get(WorkflowEngine)

    services = container()
    app = Litestar(
        plugins=[WorkflowPlugin(WorkflowPluginConfig(allow_anonymous=True))],
        dependencies={"workflow_engine": Provide(provide_engine)},
        on_shutdown=[services.close],
    )
    setup_dishka(services, app)
    async with AsyncTestClient(app) as client:
        found = (await client.get("/workflows/api/definitions/greeting")).json()
        assert found["name"] == "greeting"
    parameters = app.openapi_schema.to_schema()["paths"]["/workflows/api/definitions/{name}"]["get"]["parameters"]
    assert [parameter["name"] for parameter in parameters] == ["name", "version"]
