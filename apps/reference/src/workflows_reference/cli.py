"""The command ``workflows-demo``. What a command runs is imported when it runs: a worker needs no web framework."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import click
import httpx

from workflows_core import StoreUnavailableError
from workflows_reference.errors import DemoStartError
from workflows_reference.settings import EXECUTORS, InvalidSettingError, Settings, load_settings
from workflows_reference.tour.expense import take_tour
from workflows_reference.tour.visitor import Narrator, TourFailedError

__all__ = ["main"]


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--host", help="Address to listen on [env: WORKFLOWS_HOST; 127.0.0.1].")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on, 0 for any [env: WORKFLOWS_PORT; 8000].")
@click.pass_context
def demo(context: click.Context, *, host: str | None, port: int | None) -> None:
    """Serve the demo of workflows: migrate its database, fill it on the first start, answer and run the steps."""
    if context.invoked_subcommand is not None:
        return
    from workflows_reference.server import listen, serve

    settings = load_settings()
    settings = replace(
        settings, host=settings.host if host is None else host, port=settings.port if port is None else port
    )
    listener, settings = listen(settings)
    asyncio.run(serve(settings, listener, when_ready=_greet))


@demo.command()
@click.option(
    "--concurrency", type=click.IntRange(1, 10_000), help="Most steps at once [env: WORKFLOWS_CONCURRENCY; 32]."
)
def worker(concurrency: int | None) -> None:
    """Run steps in this process, beside a server, until SIGTERM or SIGINT: the worker of the executor that is set."""
    from workflows_reference.worker import run_worker

    settings = load_settings()
    run_worker(settings if concurrency is None else replace(settings, concurrency=concurrency))


@demo.command()
@click.option(
    "--executor",
    type=click.Choice(EXECUTORS),
    default="local",
    envvar="WORKFLOWS_EXECUTOR",
    help="How work reaches workers [env: WORKFLOWS_EXECUTOR; local].",
)
@click.option("--workers", default=2, show_default=True, type=click.IntRange(0, 100), help="How many worker processes.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on, 0 for any [env: WORKFLOWS_PORT; 8000].")
def stack(executor: str, workers: int, port: int | None) -> None:
    """Start a server and workers, with PostgreSQL and Redis where the environment names none; start again what dies."""
    from workflows_reference.stack.running import run_stack

    settings = load_settings({**os.environ, "WORKFLOWS_EXECUTOR": "local"})  # there need be no database yet
    settings = replace(settings, executor=executor, port=settings.port if port is None else port)
    run_stack(settings, workers=workers)


@demo.command()
@click.option("--url", metavar="URL", help="A running demo; without it the tour starts a private one.")
def tour(url: str | None) -> None:
    """Drive an expense approval over HTTP, print each step, and fail if anything differs from what it should be."""
    asyncio.run(_tour_at(url.rstrip("/")) if url else _private_tour())


def main() -> None:
    """Run the command; what goes wrong ends with one message and exit code 1."""
    try:
        demo.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except (DemoStartError, InvalidSettingError, StoreUnavailableError, TourFailedError, httpx.HTTPError) as error:
        click.echo(f"workflows-demo: {str(error) or type(error).__name__}", err=True)
        sys.exit(1)


def _greet(settings: Settings) -> None:
    click.echo(f"workflows demo: {settings.base_url}  (Ctrl+C stops it)")
    click.echo(f"database: {settings.shown_database}")
    if not settings.run_worker:
        click.echo(
            f"no steps run in this process (executor: {settings.executor}); start `workflows-demo worker` beside it"
        )
    if not _is_loopback(settings.host):
        click.echo(f"WARNING: {settings.host} is reachable by others, and the demo's passwords are public", err=True)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _private_tour() -> None:
    """Start a server for the tour alone; in a database of its own, unless the environment names one."""
    from workflows_reference.server import listen, serve

    settings = replace(load_settings(), host="127.0.0.1", port=0, public_url="", executor="local", run_worker=True)
    with tempfile.TemporaryDirectory(prefix="workflows-demo-") as directory:
        if "WORKFLOWS_DATA_DIR" not in os.environ:
            settings = replace(settings, data_dir=Path(directory))
        listener, settings = listen(settings)
        ready, done = asyncio.Event(), asyncio.Event()
        serving = asyncio.create_task(serve(settings, listener, when_ready=lambda _: ready.set(), until=done))
        waiting = asyncio.create_task(ready.wait())
        try:
            await asyncio.wait([serving, waiting], return_when=asyncio.FIRST_COMPLETED)
            if ready.is_set():
                click.echo(f"private server at {settings.base_url}, database: {settings.shown_database}")
                await _tour_at(settings.base_url)
        finally:
            waiting.cancel()
            done.set()
            await serving


async def _tour_at(url: str) -> None:
    # Not through a proxy: the demo is on this machine, or the tour was told where it is.
    async with httpx.AsyncClient(base_url=url, timeout=30.0, trust_env=False) as client:
        narrator = Narrator(click.echo)
        try:
            await take_tour(client, narrator)
        except httpx.ConnectError as error:
            reason = f"nothing answers at {url}"
            raise DemoStartError(
                reason, str(error), "start the demo with `workflows-demo`, or leave --url out"
            ) from error
    click.echo(f"\nAll {narrator.checks} checks passed.")
