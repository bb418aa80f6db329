"""Runs the stack: servers first, then the web process, then the workers; and ends them the other way round."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Final

import click
import httpx

from workflows_reference.errors import DemoStartError
from workflows_reference.server import listen
from workflows_reference.settings import Settings
from workflows_reference.stack.member import Member
from workflows_reference.stack.servers import servers
from workflows_reference.worker import worker_command

__all__ = ["run_stack"]

_READY_S: Final = 60.0
_STOP_S: Final = 30.0
_LOOK_EVERY_S: Final = 0.1


def run_stack(settings: Settings, *, workers: int) -> None:
    """Run everything until SIGTERM or SIGINT.

    Args:
        settings: For all processes; without a database in them there is a new PostgreSQL, which is erased at the end.
        workers: How many worker processes.

    Raises:
        DemoStartError: Something cannot be started.
    """
    command = worker_command(settings)
    listener, settings = listen(settings)
    listener.close()  # the server takes it again, and whenever it is started again
    with _data_dir(settings) as data_dir, servers(settings.executor, os.environ) as urls:
        environment = {
            **os.environ,
            **urls,
            "PYTHONUNBUFFERED": "1",
            "WORKFLOWS_DATA_DIR": str(data_dir),
            "WORKFLOWS_EXECUTOR": settings.executor,
            "WORKFLOWS_HOST": settings.host,
            "WORKFLOWS_PORT": str(settings.port),
        }
        for name, url in urls.items():
            click.echo(f"{name}={url}")
        server = Member("server", [sys.executable, "-m", "workflows_reference"], environment)
        beside = [Member(f"worker {number}", command, environment) for number in range(1, workers + 1)]
        asyncio.run(_run(settings.base_url, server, beside))


@contextlib.contextmanager
def _data_dir(settings: Settings) -> Generator[Path]:
    """Files live as long as the database that names them."""
    if "WORKFLOWS_DATA_DIR" in os.environ or settings.database_url:
        yield settings.data_dir.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="workflows-demo-") as directory:
        yield Path(directory)


async def _run(url: str, server: Member, workers: list[Member]) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stopping.set)
    try:
        await server.start()
        await _answers(url, server, stopping)
        server.keep()
        for worker in workers:
            await worker.start()
            worker.keep()
        if not stopping.is_set():
            click.echo(f"the stack is running: {url}  (Ctrl+C stops it)")
        await stopping.wait()
    finally:
        click.echo("the stack is stopping")
        await asyncio.gather(*(worker.stop(within_s=_STOP_S) for worker in workers))
        await server.stop(within_s=_STOP_S)
    click.echo("the stack has stopped")


async def _answers(url: str, server: Member, stopping: asyncio.Event) -> None:
    """Wait until the server has made the tables that workers need, or the stack is told to stop."""
    async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(_READY_S):
        while not stopping.is_set():
            if not server.is_running:
                raise DemoStartError("cannot start the server", "it has ended", "its reason stands above")
            with contextlib.suppress(httpx.TransportError):
                if (await client.get(f"{url}/health")).is_success:
                    return
            await asyncio.sleep(_LOOK_EVERY_S)
