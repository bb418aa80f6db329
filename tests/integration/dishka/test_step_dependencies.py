"""Steps get their dependencies from a dishka container: in a web process and in a worker process alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated
from uuid import UUID

import pytest
from dishka import AsyncContainer, FromComponent, FromDishka, Provider, Scope, make_async_container
from dishka.integrations.litestar import setup_dishka
from litestar import Litestar
from litestar.testing import AsyncTestClient
from tests.integration.dishka.shop import Journal, Log, make_container

from workflows_core import (
    Actor,
    BaseMachineStep,
    InvalidDefinitionError,
    LocalExecutionEngine,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowEngine,
    WorkflowStatus,
)
from workflows_dishka import DishkaInjector
from workflows_litestar import WorkflowPlugin, WorkflowPluginConfig
from workflows_sqlalchemy import upgrade

ROOT = Path(__file__).parents[3]
LINES = [
    "checking with Journal",
    "check 1: guard, execute; ended LookupError",
    "checking with Journal",
    "check 2: guard, execute, success; ended well",
    "pack 1: packed in a thread; ended well",
]


@pytest.fixture
async def database(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/shop.db"
    await upgrade(url)
    return url


async def engine_of(app: Litestar) -> WorkflowEngine:
    found: AsyncContainer = app.state.dishka_container
    return await found.get(WorkflowEngine)


async def test_in_the_process_of_an_application(database: str, tmp_path: Path) -> None:
    container = make_container(database, tmp_path / "log")
    config = WorkflowPluginConfig(engine=engine_of, run_worker=True, allow_anonymous=True, anonymous_actor=Actor("me"))
    app = Litestar(plugins=[WorkflowPlugin(config)], logging_config=None)
    setup_dishka(container, app)
    async with AsyncTestClient(app) as client:
        started = (await client.post("/workflows/api/instances", json={"workflow_name": "order"})).json()
        engine = await container.get(WorkflowEngine)
        finished = await engine.wait(UUID(started["id"]), timeout=10)
    await container.close()
    assert finished.status is WorkflowStatus.COMPLETED, finished.error
    assert finished.data["pid"] == os.getpid()
    assert (tmp_path / "log").read_text().splitlines() == LINES


@contextmanager
def worker(database: str, log: Path) -> Generator[subprocess.Popen[str]]:
    command = [str(Path(sys.executable).parent / "workflows"), "worker", "--json"]
    engine = ["--engine", "tests.integration.dishka.shop:make_engine"]
    shop = {"SHOP_DATABASE": database, "SHOP_LOG": str(log)}
    process = subprocess.Popen(
        [*command, *engine], cwd=ROOT, env={**os.environ, **shop}, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["event"] == "running"
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=30)


async def test_in_a_worker_process(database: str, tmp_path: Path) -> None:
    container = make_container(database, tmp_path / "log")
    engine = await container.get(WorkflowEngine)
    await engine.open()
    with worker(database, tmp_path / "log") as process:
        started = await engine.start_workflow("order", {})
        finished = await engine.wait(started.id, timeout=20)
    await container.close()
    assert finished.status is WorkflowStatus.COMPLETED, finished.error
    assert finished.data["pid"] == process.pid
    assert (tmp_path / "log").read_text().splitlines() == LINES


class WantsNothingKnown(BaseMachineStep):
    async def execute(self, context: WorkflowContext, journal: FromDishka[Journal]) -> None: ...


class WantsComponent(BaseMachineStep):
    async def execute(self, context: WorkflowContext, log: Annotated[Log, FromComponent("other")]) -> str:
        return type(log).__name__


def provider(scope: Scope, component: str = "") -> Provider:
    made = Provider(scope=scope, component=component)
    made.provide(lambda: Log(Path()), provides=Log)
    made.provide(Journal)
    return made


@pytest.mark.parametrize(
    ("container", "mend"),
    [
        (make_async_container(), "add a provider of it to the container, of scope REQUEST or a wider one"),
        (
            make_async_container(provider(Scope.ACTION)),
            "the container has it in scope ACTION, but steps have scope REQUEST",
        ),
        (make_async_container(provider(Scope.APP, component="other")), "add a provider of it"),
    ],
)
async def test_what_the_container_does_not_have_for_steps_is_refused(container: AsyncContainer, mend: str) -> None:
    async with LocalExecutionEngine(injector=DishkaInjector(container)) as engine:
        with pytest.raises(InvalidDefinitionError, match="parameter 'journal' of execute, which wants Journal") as told:
            await engine.start_workflow(WorkflowDefinition("wanting", steps=[WantsNothingKnown()]))
    assert mend in str(told.value)


async def test_components_are_known(tmp_path: Path) -> None:
    container = make_async_container(provider(Scope.REQUEST, component="other"))
    async with LocalExecutionEngine(injector=DishkaInjector(container)) as engine:
        assert await engine.execute_step(WantsComponent(), WorkflowContext.for_testing()) == "Log"


async def test_an_error_of_a_provider_fails_the_attempt() -> None:
    def fail() -> Journal:
        msg = "no journal"
        raise OSError(msg)

    failing = Provider(scope=Scope.REQUEST)
    failing.provide(fail)
    async with LocalExecutionEngine(injector=DishkaInjector(make_async_container(failing))) as engine:
        started = await engine.start_workflow(WorkflowDefinition("wanting", steps=[WantsNothingKnown()]))
        finished = await engine.wait(started.id, timeout=5)
    assert finished.error is not None
    assert (finished.error.type, finished.error.message) == ("OSError", "no journal")
    assert "while Journal was made for parameter 'journal' of execute" in (finished.error.traceback or "")
