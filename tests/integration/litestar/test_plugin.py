"""The plugin inside an application: engine, dependencies, lifespan, worker, UI."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from litestar import Litestar, get
from litestar.di import NamedDependency, Provide
from litestar.exceptions import ImproperlyConfiguredException
from litestar.testing import TestClient
from tests.integration.litestar.world import API, MakeApp, OpenWorld

from workflows_core import (
    EngineSettings,
    LocalExecutionEngine,
    NullExecutor,
    StoreUnavailableError,
    WorkflowEngine,
    WorkflowRegistry,
)
from workflows_core.adapters.system_clock import SystemClock
from workflows_litestar import WorkflowPlugin, WorkflowPluginConfig, WorkflowWebPlugin

HEADERS = {"Content-Type": "application/json"}


@get("/names", sync_to_thread=False)
def names(
    workflow_engine: NamedDependency[WorkflowEngine], workflow_registry: NamedDependency[WorkflowRegistry]
) -> list[str]:
    assert workflow_engine.registry is workflow_registry
    return [definition.name for definition in workflow_registry.list_definitions()]


async def test_handlers_of_the_application_get_the_engine_and_the_registry(
    engine: WorkflowEngine, open_world: OpenWorld
) -> None:
    app = Litestar(route_handlers=[names], plugins=[WorkflowPlugin(WorkflowPluginConfig(engine=engine))])
    world = await open_world(app)
    assert set((await world.nobody.get("/names")).json()) == {"approval", "failing", "callback", "signalled"}


async def test_the_names_of_the_dependencies_can_be_chosen(engine: WorkflowEngine, open_world: OpenWorld) -> None:
    @get("/mine", sync_to_thread=False)
    def mine(bpm: NamedDependency[WorkflowEngine], catalogue: NamedDependency[WorkflowRegistry]) -> bool:
        return bpm.registry is catalogue

    config = WorkflowPluginConfig(
        engine=engine, engine_dependency_key="bpm", registry_dependency_key="catalogue", allow_anonymous=True
    )
    world = await open_world(Litestar(route_handlers=[mine], plugins=[WorkflowPlugin(config)]))
    assert (await world.nobody.get("/mine")).json() is True
    assert (await world.nobody.get(f"{API}/definitions")).status_code == 200


@pytest.mark.parametrize("key", ["workflow_engine", "bpm"])
async def test_the_application_may_provide_the_engine_itself(
    engine: WorkflowEngine, open_world: OpenWorld, key: str
) -> None:
    async def provide_engine() -> WorkflowEngine:
        return engine

    config = WorkflowPluginConfig(engine_dependency_key=key, allow_anonymous=True)
    await engine.open()
    world = await open_world(Litestar(plugins=[WorkflowPlugin(config)], dependencies={key: Provide(provide_engine)}))
    assert (await world.nobody.get(f"{API}/definitions/approval")).status_code == 200
    document = world.app.openapi_schema.to_schema()
    parameters = document["paths"]["/workflows/api/definitions/{name}"]["get"]["parameters"]
    assert [parameter["name"] for parameter in parameters] == ["name", "version"]
    await engine.aclose()


@pytest.mark.parametrize("asynchronous", [True, False])
async def test_a_function_may_get_the_engine_when_the_application_starts(
    engine: WorkflowEngine, open_world: OpenWorld, asynchronous: bool
) -> None:
    def from_state(app: Litestar) -> WorkflowEngine:
        found: WorkflowEngine = app.state.bpm
        return found

    async def from_state_later(app: Litestar) -> WorkflowEngine:
        return from_state(app)

    config = WorkflowPluginConfig(engine=from_state_later if asynchronous else from_state, allow_anonymous=True)
    app = Litestar(route_handlers=[names], plugins=[WorkflowPlugin(config)])
    app.state.bpm = engine
    world = await open_world(app)
    assert len((await world.nobody.get("/names")).json()) == 4
    assert (await world.nobody.get(f"{API}/definitions/approval")).status_code == 200


async def test_without_an_engine_a_route_says_what_is_missing() -> None:
    with pytest.raises(ImproperlyConfiguredException, match="workflow_engine"):
        Litestar(plugins=[WorkflowPlugin()])


async def test_the_start_publishes_the_definitions(
    engine: WorkflowEngine, open_world: OpenWorld, make_app: MakeApp
) -> None:
    await open_world(make_app())
    stored = await engine.queries.list_definitions()
    assert {(record.graph.name, record.graph.version) for record in stored} == {
        ("approval", "1.9.0"),
        ("approval", "1.10.0"),
        ("callback", "1.0.0"),
        ("failing", "1.0.0"),
        ("signalled", "1.0.0"),
    }


async def test_a_store_that_is_down_stops_the_start_with_one_readable_line(
    engine: WorkflowEngine, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def check() -> None:
        raise StoreUnavailableError("no route to host")

    monkeypatch.setattr(engine.store, "check", check)
    with pytest.RaisesGroup(StoreUnavailableError):
        async with make_app().lifespan():
            pass
    (record,) = [record for record in caplog.records if record.name == "workflows_litestar"]
    assert record.levelno == logging.CRITICAL
    assert record.getMessage() == (
        "workflows cannot start: the store is not available: no route to host; "
        "check that the database runs and that its URL is right"
    )


async def test_an_engine_of_the_settings_is_closed_with_the_application(
    engine: WorkflowEngine, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []

    async def aclose() -> None:
        closed.append("engine")

    monkeypatch.setattr(engine, "aclose", aclose)
    async with make_app().lifespan():
        assert closed == []
    assert closed == ["engine"]


async def test_an_engine_that_a_function_got_is_left_to_its_owner(
    engine: WorkflowEngine, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def aclose() -> None:
        raise AssertionError("not ours")

    with monkeypatch.context() as patch:
        patch.setattr(engine, "aclose", aclose)
        async with make_app(engine=lambda app: engine).lifespan():
            pass
    await engine.aclose()


async def test_a_public_url_that_leads_elsewhere_is_warned_of(
    registry: WorkflowRegistry, make_app: MakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    engine = LocalExecutionEngine(registry, settings=EngineSettings(public_url="https://acme.example/elsewhere"))
    async with make_app(engine=engine).lifespan():
        pass
    assert "let EngineSettings.public_url end with it" in caplog.text


def durable_engine(registry: WorkflowRegistry) -> WorkflowEngine:
    """An engine whose work waits for a worker: nothing runs steps unless somebody starts one."""
    local = LocalExecutionEngine(registry)
    return WorkflowEngine(
        registry,
        store=local.store,
        queries=local.queries,
        executor=NullExecutor(),
        events=local._commits._events,
        clock=SystemClock(),
        ids=local._ids,
        codec=local._codec,
        conditions=local._programs._conditions,
        settings=EngineSettings(poll_s=0.02, secret=b"s" * 32),
    )


async def test_no_step_runs_here_unless_asked_to(
    registry: WorkflowRegistry, make_app: MakeApp, open_world: OpenWorld
) -> None:
    engine = durable_engine(registry)
    world = await open_world(make_app(engine=engine))
    started = await world.alice.post(f"{API}/instances", json={"workflow_name": "failing"})
    for _ in range(5):
        await asyncio.sleep(0.01)
        shown = (await world.alice.get(f"{API}/instances/{started.json()['id']}")).json()
        assert (shown["status"], shown["active_steps"][0]["status"]) == ("running", "scheduled")


async def test_a_worker_runs_here_if_asked_to_and_stops_with_the_application(
    registry: WorkflowRegistry, make_app: MakeApp
) -> None:
    engine = durable_engine(registry)
    app = make_app(engine=engine, run_worker=True)
    async with app.lifespan():
        workers = [task for task in asyncio.all_tasks() if task.get_name().startswith("workflows-worker-")]
        assert len(workers) == 1
        instance = await engine.start_workflow("failing", {})
        assert (await engine.wait(instance.id, timeout=5)).status == "failed"
    assert all(worker.done() and worker.exception() is None for worker in workers)


async def test_the_shutdown_lets_a_step_under_way_finish(make_app: MakeApp) -> None:
    from workflows_core import BaseMachineStep, WorkflowContext, WorkflowDefinition

    begun, go_on = asyncio.Event(), asyncio.Event()

    class Slow(BaseMachineStep):
        name = "slow"

        async def execute(self, context: WorkflowContext) -> str:
            begun.set()
            await go_on.wait()
            return "done"

    registry = WorkflowRegistry()
    registry.register(WorkflowDefinition("slow", "1.0.0", steps=[Slow()]))
    engine = durable_engine(registry)
    async with make_app(engine=engine, run_worker=True).lifespan():
        instance = await engine.start_workflow("slow", {})
        await begun.wait()
        asyncio.get_running_loop().call_later(0.05, go_on.set)
    assert (await engine.get_instance(instance.id)).status == "completed"


async def test_a_worker_needs_to_know_its_engine() -> None:
    with pytest.raises(ImproperlyConfiguredException, match="run_worker=True needs"):
        WorkflowPlugin(WorkflowPluginConfig(run_worker=True))


async def test_the_prefix_can_be_chosen_and_the_address_of_an_instance_follows_it(
    make_app: MakeApp, open_world: OpenWorld
) -> None:
    world = await open_world(make_app(path_prefix="/bpm/"))
    started = await world.alice.post("/bpm/api/instances", json={"workflow_name": "callback"})
    assert started.headers["location"] == f"/bpm/api/instances/{started.json()['id']}"
    assert (await world.alice.get(f"{API}/instances")).status_code == 404


async def test_the_address_of_an_instance_knows_the_path_that_a_proxy_strips(make_app: MakeApp) -> None:
    with TestClient(make_app(allow_anonymous=True), root_path="/corp") as client:
        started = client.post(f"{API}/instances", json={"workflow_name": "callback"})
        assert started.headers["location"] == f"/corp{API}/instances/{started.json()['id']}"


async def test_the_api_can_be_left_out(make_app: MakeApp) -> None:
    paths = {route.path for route in make_app(enable_api=False).routes}
    assert not any(path.startswith(API) for path in paths)
    assert any(path.startswith("/workflows/admin") for path in paths)


async def test_two_applications_may_share_one_engine(make_app: MakeApp, open_world: OpenWorld) -> None:
    first, second = await open_world(make_app()), await open_world(make_app(path_prefix="/other"))
    started = await first.alice.post(f"{API}/instances", json={"workflow_name": "callback"})
    assert (await second.alice.get(f"/other/api/instances/{started.json()['id']}")).status_code == 200


async def test_the_plugin_takes_its_settings_as_keywords_too(engine: WorkflowEngine, open_world: OpenWorld) -> None:
    plugin = WorkflowWebPlugin(engine=engine, path_prefix="/w", enable_admin=False, tags=["T"], allow_anonymous=True)
    world = await open_world(Litestar(plugins=[plugin]))
    assert (await world.nobody.get("/w/api/definitions")).status_code == 200
    assert plugin.config.tags == ["T"]


async def test_the_ui_without_its_package_is_refused_with_the_way_out(make_app: MakeApp) -> None:
    with pytest.raises(ImproperlyConfiguredException, match="pip install workflows-ui"):
        make_app(enable_ui=True)


async def test_a_package_brings_the_ui(
    make_app: MakeApp, open_world: OpenWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "some_ui.py").write_text(
        "from litestar import Router, get\n"
        "def make(config):\n"
        "    @get('/', sync_to_thread=False, media_type='text/html')\n"
        "    def index() -> str:\n"
        "        return f'<h1>{config.api_path}</h1>'\n"
        "    return Router(path='/ui', route_handlers=[index])\n"
    )
    information = tmp_path / "some_ui-1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: some-ui\nVersion: 1\n")
    (information / "entry_points.txt").write_text("[workflows_litestar.ui]\nui = some_ui:make\n")
    monkeypatch.syspath_prepend(tmp_path)
    world = await open_world(make_app(enable_ui=True))
    answer = await world.nobody.get("/workflows/ui")
    assert answer.text == "<h1>/workflows/api</h1>"
