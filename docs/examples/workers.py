"""One process starts instances, two worker processes run them; then the workers are told to end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from workflows_core import (
    BaseMachineStep,
    EngineSettings,
    EventBus,
    JsonCodec,
    SafeExpressions,
    SystemClock,
    Uuid7Generator,
    Workflow,
    WorkflowContext,
    WorkflowEngine,
    WorkflowRegistry,
)
from workflows_sqlalchemy import create_store, upgrade

DATABASE = os.environ.get("DATABASE_URL", "sqlite:///workers.db")


class Resize(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None:
        await asyncio.sleep(0.01)
        context.set("size", context.get("width") // 2)


class Thumbnail(Workflow):
    """Makes a picture smaller."""

    __steps__ = [Resize]


def make_engine() -> WorkflowEngine:
    """The engine of every process: the ones that start and decide, and the workers."""
    registry = WorkflowRegistry()
    registry.register(Thumbnail)
    store, queries = create_store(DATABASE)
    return WorkflowEngine(
        registry,
        store=store,
        queries=queries,
        executor=store.notifier(),  # wakes the workers of all processes
        events=EventBus(),
        clock=SystemClock(),
        ids=Uuid7Generator(),
        codec=JsonCodec(),
        conditions=SafeExpressions(),
        settings=EngineSettings(lease_s=15, poll_s=1),
    )


def start_worker(*options: str) -> subprocess.Popen[bytes]:
    """What systemd, a container or a shell would do: ``workflows worker --engine workers:make_engine``."""
    workflows = Path(sys.executable).parent / "workflows"
    command = [workflows, "worker", "--engine", "workers:make_engine", "--json", *options]
    here = {"PYTHONPATH": str(Path(__file__).parent)}
    worker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, **here})
    if worker.stdout is not None:
        worker.stdout.readline()  # it has said that it runs
    return worker


async def run_instances(count: int) -> Sequence[int]:
    """Start instances and wait for them; nothing runs in this process."""
    async with make_engine() as engine:
        started = [await engine.start_workflow(Thumbnail, {"width": 100 * number}) for number in range(count)]
        finished = [await engine.wait(instance.id, timeout=30) for instance in started]
        return [instance.data["size"] for instance in finished]


def main() -> None:
    asyncio.run(upgrade(DATABASE))
    workers = [start_worker("--concurrency", "8") for _ in range(2)]
    print("sizes:", asyncio.run(run_instances(5)))
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=30)
    print("exit codes:", [worker.returncode for worker in workers])


if __name__ == "__main__":
    main()
