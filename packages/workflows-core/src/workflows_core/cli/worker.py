"""The command that runs a worker process."""

from __future__ import annotations

import asyncio
import signal

import click

from workflows_core.cli.engines import run_with_engine
from workflows_core.cli.options import engine_factory
from workflows_core.engine.engine import WorkflowEngine
from workflows_core.engine.worker import Worker

__all__ = ["worker"]


@click.command()
@click.option(
    "--concurrency", default=32, show_default=True, type=click.IntRange(1, 10_000), help="Most steps at once."
)
@click.option("--queue", "queues", multiple=True, help="A queue to serve; all by default.")
@click.option("--drain", "drain_s", default=30.0, show_default=True, help="Seconds given to steps under way at a stop.")
@click.pass_context
def worker(context: click.Context, concurrency: int, queues: tuple[str, ...], drain_s: float) -> None:
    """Run steps until stopped by SIGTERM or SIGINT; finishes or gives back what is under way."""

    async def work(engine: WorkflowEngine) -> None:
        await engine.publish_definitions()
        runner = Worker(engine, concurrency=concurrency, queues=frozenset(queues) or None)
        running = asyncio.create_task(runner.run())
        stopping: list[asyncio.Task[None]] = []
        loop = asyncio.get_running_loop()

        def stop() -> None:
            stopping.append(asyncio.create_task(runner.stop(drain_s=drain_s)))

        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stop)
        click.echo(f"worker {runner.id} is running")
        await running
        await asyncio.gather(*stopping)
        click.echo(f"worker {runner.id} has stopped")

    run_with_engine(engine_factory(context), work)
