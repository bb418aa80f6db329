"""The command group ``workflows``."""

from __future__ import annotations

from importlib.metadata import entry_points

import click

from workflows_core.cli.dead_letters import dead_letters, retry
from workflows_core.cli.definitions import definitions, graph
from workflows_core.cli.engines import EngineFactory, load_factory
from workflows_core.cli.instances import cancel, list_instances, show, signal, stalled, start, unserved
from workflows_core.cli.tasks import complete, reassign, tasks
from workflows_core.cli.worker import worker

__all__ = ["build_group"]

_COMMANDS: tuple[click.Command, ...] = (
    definitions,
    graph,
    start,
    list_instances,
    show,
    stalled,
    unserved,
    signal,
    cancel,
    retry,
    dead_letters,
    tasks,
    complete,
    reassign,
    worker,
)


def build_group(factory: EngineFactory | None = None, *, name: str = "workflows") -> click.Group:
    """The command group.

    Args:
        factory: Gives the engine, where a framework knows it; else the option ``--engine`` names it.
        name: Name of the group.
    """

    @click.group(name=name, help="Start, watch and steer workflows.")
    @click.option(
        "--engine",
        "engine_path",
        envvar="WORKFLOWS_ENGINE",
        metavar="MODULE:NAME",
        help="Engine to talk to, or a callable that gives one [env: WORKFLOWS_ENGINE].",
    )
    @click.pass_context
    def group(context: click.Context, engine_path: str | None) -> None:
        if engine_path is not None:
            context.obj = load_factory(engine_path)
        elif factory is not None:
            context.obj = factory

    for command in _COMMANDS:
        group.add_command(command)
    for entry_point in entry_points(group="workflows.cli"):
        group.add_command(entry_point.load(), entry_point.name)
    return group
