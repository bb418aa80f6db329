"""Which engine the commands talk to."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from workflows_core.engine.engine import WorkflowEngine
from workflows_core.engine.hosting import EngineFactory, engine_of
from workflows_core.errors import WorkflowsError

__all__ = ["EngineFactory", "load_factory", "run_with_engine"]

T = TypeVar("T")


def load_factory(path: str) -> EngineFactory:
    """Find ``package.module:name``; the name is a callable that gives an engine, or an engine.

    Raises:
        click.BadParameter: There is no such thing; says what is missing.
    """
    module_name, _, attribute = path.partition(":")
    if not attribute:
        msg = f"{path!r} must look like package.module:name"
        raise click.BadParameter(msg)
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        msg = f"cannot import {path!r}: {error}"
        raise click.BadParameter(msg) from error
    if isinstance(found, WorkflowEngine):
        return lambda: found
    if not callable(found):
        msg = f"{path!r} is a {type(found).__name__}, but must be an engine or a callable that gives one"
        raise click.BadParameter(msg)
    return found  # type: ignore[no-any-return]


def run_with_engine(
    factory: EngineFactory,
    use: Callable[[WorkflowEngine], Awaitable[T]],
    *,
    make_loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> T:
    """Run something with an engine, and turn the library's errors into messages for people.

    Args:
        factory: Gives the engine, which is closed at the end.
        use: What is run.
        make_loop: Makes the event loop; None takes asyncio's own.

    Raises:
        click.ClickException: What was asked is not possible; exit code 1.
    """

    async def go() -> T:
        async with engine_of(factory) as engine:
            return await use(engine)

    try:
        with asyncio.Runner(loop_factory=make_loop) as runner:
            return runner.run(go())
    except WorkflowsError as error:
        raise click.ClickException(str(error)) from error
