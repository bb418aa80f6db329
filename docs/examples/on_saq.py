"""Steps run by SAQ's workers: ordinary ones by one worker, reports, which are heavy, one at a time by another."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from saq import Queue

from workflows_core import BaseMachineStep, EngineSettings, Workflow, WorkflowContext, WorkflowRegistry
from workflows_saq import SAQExecutionEngine, SAQWorkerHost
from workflows_sqlalchemy import create_store, upgrade

DATABASE = os.environ.get("DATABASE_URL", "sqlite:///on_saq.db")
REDIS = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")


class Collect(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None:
        context.set("rows", list(range(context.get("month"))))


class Report(BaseMachineStep):
    queue = "reports"

    async def execute(self, context: WorkflowContext) -> None:
        context.set("total", sum(context.get("rows")))


class Monthly(Workflow):
    """Adds up a month."""

    __steps__ = [Collect, Report]
    __edges__ = [(Collect, Report)]


ordinary = Queue.from_url(REDIS, name="workflows")
heavy = Queue.from_url(REDIS, name="workflows-heavy")


def make_engine() -> SAQExecutionEngine:
    """The engine of every process: the web process, and both kinds of workers."""
    registry = WorkflowRegistry()
    registry.register(Monthly)
    settings = EngineSettings(lease_s=15, poll_s=1)
    return SAQExecutionEngine(ordinary, create_store(DATABASE), registry, queues={"reports": heavy}, settings=settings)


settings = SAQWorkerHost(make_engine, queues=frozenset({"default"})).settings(ordinary)
reports = SAQWorkerHost(make_engine, queues=frozenset({"reports"}), concurrency=1).settings(heavy)


def start_worker(name: str) -> subprocess.Popen[bytes]:
    """What systemd, a container or a shell would do: ``saq on_saq.settings``."""
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    command = [Path(sys.executable).parent / "saq", f"on_saq.{name}"]
    return subprocess.Popen(command, env=here, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


async def run_instances(count: int) -> list[int]:
    """Start instances and wait for them; nothing runs in this process."""
    async with make_engine() as engine:
        started = [await engine.start_workflow(Monthly, {"month": month}) for month in range(1, count + 1)]
        finished = [await engine.wait(instance.id, timeout=30) for instance in started]
    await ordinary.disconnect()
    await heavy.disconnect()
    return [instance.data["total"] for instance in finished]


def main() -> None:
    asyncio.run(upgrade(DATABASE))
    workers = [start_worker("settings"), start_worker("reports")]
    print("totals:", asyncio.run(run_instances(5)))
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
    print("exit codes:", [worker.wait(timeout=30) for worker in workers])


if __name__ == "__main__":
    main()
