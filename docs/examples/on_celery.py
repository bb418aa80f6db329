"""Steps run by the workers of an application of Celery that has other tasks too."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from celery import Celery

from workflows_celery import CeleryExecutionEngine, CeleryWorkerHost
from workflows_core import BaseMachineStep, EngineSettings, Workflow, WorkflowContext, WorkflowRegistry
from workflows_sqlalchemy import create_store, upgrade

DATABASE = os.environ.get("DATABASE_URL", "sqlite:///on_celery.db")
BROKER = os.environ.get("BROKER_URL", "redis://127.0.0.1:6379/0")

# The application that is there anyway, with its own tasks, queues and limits.
app = Celery("shop", broker=BROKER)
app.conf.update(broker_connection_retry_on_startup=True, task_acks_late=True, task_time_limit=60)


@app.task(name="note_visit")
def note_visit(path: str) -> None:
    Path(path).touch()


class Reserve(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None:
        context.set("reserved", context.get("articles"))


class Render(BaseMachineStep):
    queue = "documents"

    def execute(self, context: WorkflowContext) -> None:
        context.set("slip", f"{context.get('reserved')} articles")


class Order(Workflow):
    """Reserves articles and prints the slip."""

    __steps__ = [Reserve, Render]
    __edges__ = [(Reserve, Render)]


def make_engine() -> CeleryExecutionEngine:
    """The engine of every process: the web process, and the workers."""
    registry = WorkflowRegistry()
    registry.register(Order)
    settings = EngineSettings(lease_s=15, poll_s=1)
    return CeleryExecutionEngine(
        app, create_store(DATABASE), registry, queues={"documents": "documents"}, settings=settings
    )


# Which work a process takes is up to the process: all of it, unless its environment says otherwise.
served = os.environ.get("WORKFLOWS_QUEUES")
CeleryWorkerHost(app, make_engine, queues=frozenset(served.split(",")) if served else None)


def start_worker(celery_queue: str, work_queue: str) -> subprocess.Popen[bytes]:
    """What systemd, a container or a shell would do: ``WORKFLOWS_QUEUES=default celery -A on_celery worker -Q celery``."""
    options = ["-Q", celery_queue, "-n", f"{celery_queue}@%h", "--pool", "threads", "--concurrency", "4"]
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "WORKFLOWS_QUEUES": work_queue}
    command = [Path(sys.executable).parent / "celery", "-A", "on_celery", "worker", *options]
    return subprocess.Popen(command, env=here, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


async def run_instances(count: int) -> list[str]:
    """Start instances and wait for them; nothing runs in this process."""
    async with make_engine() as engine:
        started = [await engine.start_workflow(Order, {"articles": number}) for number in range(count)]
        finished = [await engine.wait(instance.id, timeout=30) for instance in started]
        return [instance.data["slip"] for instance in finished]


def main() -> None:
    asyncio.run(upgrade(DATABASE))
    workers = [start_worker("celery", "default"), start_worker("documents", "documents")]
    note_visit.delay(str(Path("visited").absolute()))
    print("slips:", asyncio.run(run_instances(3)))
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
    print("exit codes:", [worker.wait(timeout=30) for worker in workers])
    print("the other task has run:", Path("visited").exists())
    app.close()


if __name__ == "__main__":
    main()
