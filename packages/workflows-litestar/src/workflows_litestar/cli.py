"""``litestar workflows …``: the commands of workflows, with the engine of the application."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

import click

from workflows_core import WorkflowEngine
from workflows_core.cli.main import build_group

if TYPE_CHECKING:
    from workflows_litestar.config import EngineFactory, WorkflowPluginConfig

__all__ = ["workflows_group"]


def workflows_group(config: WorkflowPluginConfig) -> click.Group:
    """The command group; without an engine in the settings, its option ``--engine`` names one."""
    configured = config.engine
    if configured is None:
        return build_group(_ask_which)
    if isinstance(configured, WorkflowEngine):
        engine = configured
        return build_group(lambda: engine)
    return build_group(lambda: _made_for_the_application(configured))


def _ask_which() -> WorkflowEngine:
    msg = "which engine? the application provides it for requests only; give --engine MODULE:NAME before the command"
    raise click.UsageError(msg)


def _made_for_the_application(factory: EngineFactory) -> WorkflowEngine | Awaitable[WorkflowEngine]:
    """Let the application's function make the engine, for the application that the ``litestar`` command has loaded."""
    return factory(click.get_current_context().find_root().obj.app)
