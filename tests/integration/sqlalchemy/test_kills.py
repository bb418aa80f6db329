"""``kill -9`` in the middle of transactional steps: what they write is there once for each that is recorded, and nothing else is."""

from __future__ import annotations

import random
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from workflows_core import WorkflowRegistry, WorkflowStatus
from workflows_sqlalchemy import PersistentExecutionEngine

LAPS = 12
KILLS = 2

WORKER = textwrap.dedent(
    f"""
    import asyncio, os, sys
    from sqlalchemy import text
    from workflows_core import BaseMachineStep, EngineSettings, WorkflowDefinition, WorkflowRegistry
    from workflows_sqlalchemy import PersistentExecutionEngine, session_of

    class Lap(BaseMachineStep):
        transactional = True

        async def execute(self, context):
            session = session_of(context)
            row = {{"step": context.current_step, "pid": os.getpid()}}
            await session.execute(text("INSERT INTO laps VALUES (:step, :pid)"), row)
            await session.commit()
            print(context.current_step, flush=True)
            await asyncio.sleep(float(sys.argv[2]))
            await session.execute(text("UPDATE total SET laps = laps + 1"))

    names = [f"lap_{{number}}" for number in range({LAPS})]
    laps = WorkflowDefinition("laps", steps={{name: Lap() for name in names}}, edges=list(zip(names, names[1:])))

    async def main(url):
        registry = WorkflowRegistry()
        registry.register(laps)
        settings = EngineSettings(lease_s=0.5, poll_s=0.05)
        async with PersistentExecutionEngine(registry, url, settings=settings) as engine:
            if sys.argv[3:]:
                print((await engine.start_workflow("laps")).id, flush=True)
            await asyncio.sleep(3600)

    asyncio.run(main(sys.argv[1]))
    """
)


@pytest.fixture
async def application(url: str) -> AsyncGenerator[AsyncEngine]:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        for statement in (
            "DROP TABLE IF EXISTS laps",
            "DROP TABLE IF EXISTS total",
            "CREATE TABLE laps (step TEXT, pid INTEGER)",
            "CREATE TABLE total (laps INTEGER)",
            "INSERT INTO total VALUES (0)",
        ):
            await connection.execute(text(statement))
    yield engine
    await engine.dispose()


@contextmanager
def worker(url: str, pause_s: float, *options: str) -> Generator[subprocess.Popen[str]]:
    """A process that works until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, url, str(pause_s), *options], stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


async def test_what_a_step_writes_is_there_once_however_often_its_process_is_killed(
    url: str, application: AsyncEngine
) -> None:
    chance = random.Random(1)
    begun: list[str] = []
    with worker(url, 0.02, "start") as process:
        assert process.stdout is not None
        instance = process.stdout.readline()
        begun += [process.stdout.readline() for _ in range(3)]
        time.sleep(chance.uniform(0, 0.03))
    for _ in range(KILLS - 1):
        with worker(url, 0.02) as process:
            assert process.stdout is not None
            begun += [process.stdout.readline() for _ in range(3)]
            time.sleep(chance.uniform(0, 0.03))
    with worker(url, 0.0):
        # Without the code of the workflow it only looks on.
        async with PersistentExecutionEngine(WorkflowRegistry(), url) as engine:
            finished = await engine.wait(UUID(instance.strip()), until=lambda found: found.status.is_final, timeout=60)
            history = await engine.queries.list_executions(finished.id)
    names = [f"lap_{number}" for number in range(LAPS)]
    assert finished.status is WorkflowStatus.COMPLETED, finished.error
    assert [record.execution.step_name for record in history] == names
    assert len(begun) > len(set(begun)), "no kill met a step under way: the test proves nothing"
    async with application.connect() as connection:
        assert sorted(await connection.scalars(text("SELECT step FROM laps"))) == sorted(names)
        assert (await connection.execute(text("SELECT laps FROM total"))).scalar_one() == LAPS
