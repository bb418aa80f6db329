"""Steps run by ARQ's workers, beside a function of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from arq.connections import ArqRedis, RedisSettings
from redis.asyncio import ConnectionPool

from workflows_arq import ARQExecutionEngine, ARQWorkerHost
from workflows_core import BaseMachineStep, EngineSettings, Workflow, WorkflowContext, WorkflowRegistry
from workflows_sqlalchemy import create_store, upgrade

DATABASE = os.environ.get("DATABASE_URL", "sqlite:///on_arq.db")
REDIS = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")


class Greet(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None:
        context.set("greeting", f"hello {context.get('name')}")


class Greeting(Workflow):
    """Says hello."""

    __steps__ = [Greet]


pool = ArqRedis(ConnectionPool.from_url(REDIS))  # connects when it is first used; `create_pool` would wait for Redis


def make_engine() -> ARQExecutionEngine:
    """The engine of every process: the web process, and the workers."""
    registry = WorkflowRegistry()
    registry.register(Greeting)
    settings = EngineSettings(lease_s=15, poll_s=1)
    return ARQExecutionEngine(pool, create_store(DATABASE), registry, settings=settings)


async def note_visit(context: dict[str, object], visitor: str) -> str:
    return f"{visitor} was here"


host = ARQWorkerHost(make_engine)
WorkerSettings = host.settings(redis_settings=RedisSettings.from_dsn(REDIS), functions=[host.function, note_visit])


def start_worker() -> subprocess.Popen[bytes]:
    """What systemd, a container or a shell would do: ``arq on_arq.WorkerSettings``."""
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    command = [Path(sys.executable).parent / "arq", "on_arq.WorkerSettings"]
    return subprocess.Popen(command, env=here, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


async def run_instances(*names: str) -> list[str]:
    """Start instances and wait for them; nothing runs in this process."""
    async with make_engine() as engine:
        started = [await engine.start_workflow(Greeting, {"name": name}) for name in names]
        finished = [await engine.wait(instance.id, timeout=30) for instance in started]
        return [instance.data["greeting"] for instance in finished]


async def visit(visitor: str) -> str:
    """Let the worker run the other function."""
    job = await pool.enqueue_job("note_visit", visitor)
    assert job is not None
    return str(await job.result(timeout=30))


async def use() -> None:
    print("greetings:", await run_instances("Ada", "Grace"))
    print("the other function:", await visit("Ada"))
    await pool.aclose(close_connection_pool=True)


def main() -> None:
    asyncio.run(upgrade(DATABASE))
    worker = start_worker()
    asyncio.run(use())
    worker.send_signal(signal.SIGTERM)
    print("exit code:", worker.wait(timeout=30))


if __name__ == "__main__":
    main()
