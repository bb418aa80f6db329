"""The command that runs a worker process."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
import logging
import signal
import sys
from collections.abc import Callable
from typing import Any

import click

from workflows_core.cli.engines import load_factory, run_with_engine
from workflows_core.cli.options import engine_factory
from workflows_core.engine.engine import WorkflowEngine
from workflows_core.engine.serving import serve
from workflows_core.engine.threads import StepThreads
from workflows_core.engine.worker import Worker

__all__ = ["worker"]


@click.command()
@click.option(
    "--engine",
    "engine_path",
    metavar="MODULE:NAME",
    help="The same as before the command: the engine whose steps are run.",
)
@click.option(
    "--queues", multiple=True, metavar="NAME[,NAME…]", help="Queues to serve, also given several times; all by default."
)
@click.option(
    "--concurrency", default=32, show_default=True, type=click.IntRange(1, 10_000), help="Most steps at once."
)
@click.option(
    "--drain-seconds",
    "drain_s",
    default=30.0,
    show_default=True,
    type=click.FloatRange(0),
    help="Time for the steps under way at a stop; then they are cancelled and given back.",
)
@click.option("--json", "json_output", is_flag=True, help="Print a JSON object for each change of its state.")
@click.pass_context
def worker(
    context: click.Context,
    *,
    engine_path: str | None,
    queues: tuple[str, ...],
    concurrency: int,
    drain_s: float,
    json_output: bool,
) -> None:
    """Run steps until stopped by SIGTERM or SIGINT.

    Start as many as you like, on as many machines: they share the work, and take over what one that died leaves. At a stop it claims no
    more, finishes or gives back what is under way, and exits with 0. A second signal ends it at once.
    """
    factory = load_factory(engine_path) if engine_path is not None else engine_factory(context)
    served = frozenset(name.strip() for names in queues for name in names.split(",") if name.strip()) or None
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    tell = _tell_json if json_output else _tell

    async def work(engine: WorkflowEngine) -> None:
        await engine.publish_definitions()
        # For `asyncio.to_thread` in steps, where it may hang as well; one more than these need, to close the store.
        threads = StepThreads(concurrency + 1)
        asyncio.get_running_loop().set_default_executor(threads)
        runner = Worker(engine, concurrency=concurrency, queues=served)
        facts = {
            "worker": runner.id,
            "workflows": sorted(engine.codes()),
            "queues": sorted(served) if served is not None else None,
            "concurrency": concurrency,
        }
        tell("running", facts)

        def stopping(signum: signal.Signals) -> None:
            tell("stopping", {"worker": runner.id, "signal": signum.name, "steps": runner.running})

        await serve(runner, drain_s=drain_s, stopping=stopping)
        tell("stopped", {"worker": runner.id, "abandoned": runner.taken + threads.busy})

    run_with_engine(factory, work, make_loop=_fast_loop())


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes uvloop's event loop, where it is installed."""
    if importlib.util.find_spec("uvloop") is None:
        return None
    make_loop: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module("uvloop").new_event_loop
    return make_loop


def _tell_json(event: str, facts: dict[str, Any]) -> None:
    _echo(json.dumps({"event": event, **facts}))


def _tell(event: str, facts: dict[str, Any]) -> None:
    match event:
        case "running":
            queues = "all queues" if facts["queues"] is None else f"queues {', '.join(facts['queues'])}"
            _echo(f"worker {facts['worker']} is running: {queues}, at most {facts['concurrency']} steps at once")
            _echo(f"workflows: {', '.join(facts['workflows']) or 'none, so it will find nothing to do'}")
        case "stopping":
            _echo(f"worker {facts['worker']} got {facts['signal']}: {facts['steps']} steps are under way")
        case _:
            left = f"; {facts['abandoned']} threads of steps were left to themselves" if facts["abandoned"] else ""
            _echo(f"worker {facts['worker']} has stopped{left}")


def _echo(line: str) -> None:
    click.echo(line)
    sys.stdout.flush()
