"""``workflows-demo worker``: the right worker for the executor that is set."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Final

import click

from workflows_core import Worker
from workflows_core.engine.serving import serve
from workflows_reference.executors import BROKERED, executor_provider
from workflows_reference.ioc import open_engine
from workflows_reference.settings import Settings

__all__ = ["run_worker", "worker_command"]

_DRAIN_S: Final = 20.0


def worker_command(settings: Settings) -> list[str]:
    """The command line of a worker for the executor: the broker's own, or that of the demo where there is no broker.

    Raises:
        DemoStartError: The executor is not installed.
    """
    executor_provider(settings.executor)
    match settings.executor:
        case "saq":
            command = ["saq", "workflows_reference.worker_saq.settings"]
        case "celery":
            app = ["celery", "-A", "workflows_reference.worker_celery", "worker"]
            # Steps share the event loop of one process; with the default pool there would be one for each processor.
            command = [*app, "--pool", "threads", "--concurrency", str(settings.concurrency)]
        case "arq":
            command = ["arq", "workflows_reference.worker_arq.WorkerSettings"]
        case _:
            command = ["workflows_reference", "worker"]
    return [sys.executable, "-m", *command]


def run_worker(settings: Settings) -> None:
    """Run steps until SIGTERM or SIGINT. With a broker this process becomes the broker's own worker, under the same pid.

    Raises:
        DemoStartError: The executor is not installed.
        StoreUnavailableError: The database cannot be used.
    """
    command = worker_command(settings)
    if settings.executor in BROKERED:
        environment = {**os.environ, "WORKFLOWS_CONCURRENCY": str(settings.concurrency)}
        os.execve(command[0], command, environment)  # noqa: S606 - nothing of it comes from outside
    asyncio.run(_work(settings))


async def _work(settings: Settings) -> None:
    """Run a worker of the core, which hears of work from the database."""
    async with open_engine(settings) as engine:
        await engine.open()
        worker = Worker(engine, concurrency=settings.concurrency)
        click.echo(f"worker {worker.id} is running")
        await serve(
            worker, drain_s=_DRAIN_S, stopping=lambda signum: click.echo(f"worker {worker.id} got {signum.name}")
        )
        click.echo(f"worker {worker.id} has stopped")
