"""Stop everything, change the executor, start: running instances go on, whichever executor it was and whichever it is.

For each executor a worker process brings instances on their way and is stopped. The database is then copied for each of the others, so that
each ordered pair begins with what the first has left.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from workflows_core import Actor, WorkflowEngine
from workflows_core.engine.instances import WorkflowInstance
from workflows_reference.ioc import make_container
from workflows_reference.preparation import prepare
from workflows_reference.settings import EXECUTORS, Settings
from workflows_reference.worker import worker_command
from workflows_testing.servers import PostgresServer, RedisServer
from workflows_testing.servers.databases import DatabaseTemplate, PostgresDatabase

HERE = Path(__file__).parent
ALICE = Actor("alice", tenant="acme")
LAPS = 30
NAP_S = 4
WITHIN_S = 40


@dataclass(frozen=True)
class OnTheirWay:
    """Instances in the middle, in a database of which each test gets a copy."""

    template: DatabaseTemplate
    log: Path
    instances: dict[str, UUID]
    ran: str


Scene = Callable[[str], OnTheirWay]


@pytest.fixture(scope="module")
def settings(redis_service: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Generator[Settings]:
    """What is the same whichever executor it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(HERE))
        yield Settings(
            data_dir=tmp_path_factory.mktemp("data"),
            redis_url=redis_service.database_url(2),
            run_worker=False,
            lease_s=15,  # nobody is killed: whoever is told to stop gives back what it holds
            poll_s=0.3,
            port=0,
            modules=("kill_workflows",),
        )


@pytest.fixture(scope="module")
def scene(
    settings: Settings,
    inherited: dict[str, str],
    postgres_service: PostgresServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Generator[Scene]:
    """Gives what an executor has left; made when it is first asked for."""
    made: dict[str, OnTheirWay] = {}

    def make(executor: str) -> OnTheirWay:
        log, instances = tmp_path_factory.mktemp(executor) / "steps.log", {}

        def bring_on_their_way(database: PostgresDatabase) -> None:
            here = on(settings, executor, database)
            instances.update(asyncio.run(start_all(here, log, inherited)))

        template = DatabaseTemplate(postgres_service, bring_on_their_way)
        with template.database():
            return OnTheirWay(template, log, instances, log.read_text())

    yield lambda executor: made.get(executor) or made.setdefault(executor, make(executor))
    for left in made.values():
        left.template.close()


PAIRS = [pytest.param(*pair, id="-".join(pair)) for pair in itertools.permutations(EXECUTORS, 2)]


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_running_instances_go_on_when_everything_is_started_on_another_executor(
    before: str, after: str, scene: Scene, settings: Settings, inherited: dict[str, str]
) -> None:
    left = scene(before)
    left.log.write_text(left.ran)
    with left.template.database() as database:
        asyncio.run(finish_all(on(settings, after, database), left, inherited))
    runs = Counter(left.log.read_text().splitlines())
    assert set(runs.values()) == {1}, "what had run before did not run again"
    laps = [line.split()[0] for line in left.log.read_text().splitlines() if line.startswith("lap_")]
    assert laps == [f"lap_{number}" for number in range(LAPS)]


async def start_all(settings: Settings, log: Path, inherited: Mapping[str, str]) -> dict[str, UUID]:
    """Start instances, wait until each is in its middle, and stop everything."""
    starts: dict[str, tuple[str, dict[str, Any], Callable[[WorkflowInstance], bool]]] = {
        "at a task": ("kill_drill", {}, lambda found: found.current_step == "decide"),
        "at a timer": ("kill_drill", {"nap_s": NAP_S}, lambda found: found.current_step == "nap"),
        "in steps": ("kill_laps", {"pause_s": 0.1}, lambda found: found.data.get("counted", 0) >= 3),
    }
    instances = {}
    async with engine_of(settings, first=True) as engine:
        with worker(settings, inherited):
            for name, (workflow, data, _) in starts.items():
                started = await engine.start_workflow(workflow, {"log": str(log), **data}, actor=ALICE)
                instances[name] = started.id
            for name, (_, _, is_there) in starts.items():
                await engine.wait(instances[name], timeout=WITHIN_S, until=is_there)
        stopped = await engine.get_instance(instances["in steps"])
        assert 3 <= stopped.data["counted"] < LAPS, "it was stopped in the middle"
    return instances


async def finish_all(settings: Settings, left: OnTheirWay, inherited: Mapping[str, str]) -> None:
    """Bring them to their end, and a new one beside them."""
    async with engine_of(settings) as engine:
        with worker(settings, inherited):
            fresh = await engine.start_workflow("kill_drill", {"log": str(left.log)}, actor=ALICE)
            drills = [left.instances["at a task"], left.instances["at a timer"], fresh.id]
            for drill in drills:
                await engine.wait(drill, timeout=WITHIN_S, until=lambda found: found.current_step == "decide")
                await engine.complete_human_task(drill, "decide", "alice", {})
            for instance in (*drills, left.instances["in steps"]):
                ended = await engine.wait(instance, timeout=WITHIN_S, until=lambda found: found.status.is_final)
                assert ended.status == "completed"
                assert ended.data.get("counted", LAPS) == LAPS


def on(settings: Settings, executor: str, database: PostgresDatabase) -> Settings:
    return replace(settings, executor=executor, database_url=database.url_for("asyncpg"))


@contextlib.asynccontextmanager
async def engine_of(settings: Settings, *, first: bool = False) -> AsyncGenerator[WorkflowEngine]:
    """The engine of a process that starts and decides, wired as the server of the demo is."""
    container = make_container(settings)
    try:
        if first:
            await prepare(container)
        engine = await container.get(WorkflowEngine)
        await engine.open()
        yield engine
    finally:
        await container.close()


@contextlib.contextmanager
def worker(settings: Settings, inherited: Mapping[str, str]) -> Generator[None]:
    """Run the process that does the steps: locally the server, else the worker of the executor."""
    command = worker_command(settings)
    if settings.executor == "local":
        command = [sys.executable, "-m", "workflows_reference"]
    environment = {
        **inherited,
        "PYTHONPATH": str(HERE),
        "WORKFLOWS_DATABASE_URL": settings.database_url,
        "WORKFLOWS_DATA_DIR": str(settings.data_dir),
        "WORKFLOWS_EXECUTOR": settings.executor,
        "WORKFLOWS_REDIS_URL": settings.redis_url,
        "WORKFLOWS_MODULES": ",".join(settings.modules),
        "WORKFLOWS_LEASE_SECONDS": str(settings.lease_s),
        "WORKFLOWS_POLL_SECONDS": str(settings.poll_s),
        "WORKFLOWS_PORT": "0",
    }
    log = settings.data_dir / f"{settings.executor}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield
        assert process.poll() is None, "it runs until it is told to stop"
        process.terminate()
        process.wait(30)
        assert "Traceback" not in log.read_text()
    except BaseException as error:
        error.add_note(f"the worker said:\n{log.read_text()[-4000:]}")
        raise
    finally:
        process.kill()
        process.wait(10)
