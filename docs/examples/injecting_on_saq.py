"""The engine of SAQ's workers has the injector: what steps want is made in the process that runs them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from saq import Queue

from workflows_core import (
    BaseMachineStep,
    EngineSettings,
    FactoryInjector,
    Injected,
    Workflow,
    WorkflowContext,
    WorkflowRegistry,
)
from workflows_saq import SAQExecutionEngine, SAQWorkerHost
from workflows_sqlalchemy import create_store, upgrade

DATABASE = os.environ.get("DATABASE_URL", "sqlite:///injecting_on_saq.db")
REDIS = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
JOURNAL = Path("journal.txt")


class Journal:
    """What an attempt did; written down when it is over."""

    def __init__(self) -> None:
        self.notes: list[str] = []


class Ship(BaseMachineStep):
    async def execute(self, context: WorkflowContext, journal: Injected[Journal]) -> None:
        journal.notes.append(f"ship {context.get('item')}")


class Order(Workflow):
    __steps__ = [Ship]


def keep(context: WorkflowContext) -> Iterator[Journal]:
    journal = Journal()
    yield journal
    JOURNAL.write_text(f"{context.current_step}, attempt {context.attempt}: {journal.notes}\n", encoding="utf-8")


queue = Queue.from_url(REDIS, name="injecting")


def make_engine() -> SAQExecutionEngine:
    """The engine of every process; the host calls it in the worker's."""
    registry = WorkflowRegistry()
    registry.register(Order)
    injector = FactoryInjector({Journal: keep})
    return SAQExecutionEngine(
        queue, create_store(DATABASE), registry, injector=injector, settings=EngineSettings(poll_s=1)
    )


settings = SAQWorkerHost(make_engine).settings(queue)


def start_worker() -> subprocess.Popen[bytes]:
    """What systemd, a container or a shell would do: ``saq injecting_on_saq.settings``."""
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    command = [Path(sys.executable).parent / "saq", "injecting_on_saq.settings"]
    return subprocess.Popen(command, env=here, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


async def order(item: str) -> None:
    """Start an instance and wait for it; nothing runs in this process."""
    async with make_engine() as engine:
        started = await engine.start_workflow(Order, {"item": item})
        print((await engine.wait(started.id, timeout=30)).status)
    await queue.disconnect()


def main() -> None:
    asyncio.run(upgrade(DATABASE))
    worker = start_worker()
    asyncio.run(order("a lamp"))
    print(JOURNAL.read_text(encoding="utf-8"), end="")
    worker.send_signal(signal.SIGTERM)
    worker.wait(timeout=30)


if __name__ == "__main__":
    main()
