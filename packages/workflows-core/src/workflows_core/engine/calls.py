"""Calling the application's code: coroutines in the event loop, plain functions in threads of the engine's own."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Callable
from typing import Any, Final

from workflows_core.authoring.code import is_coroutine_function
from workflows_core.authoring.context import WorkflowContext
from workflows_core.engine.holding import Holding
from workflows_core.engine.threads import StepThreads

__all__ = ["Calls"]

_MOST_THREADS: Final = 512
"""More than workers have slots, so that a slot never waits for a thread; a thread is started only when all others are busy."""


class Calls:
    """Calls functions of the application.

    A thread cannot be stopped: when the caller of a plain function is cancelled, the function goes on in its thread, and what holds the
    work item stays busy until it ends, or until the process does.
    """

    def __init__(self) -> None:
        self._threads: StepThreads | None = None

    async def call(
        self, function: Callable[..., Any], context: WorkflowContext, *arguments: Any, holding: Holding | None = None
    ) -> Any:
        """Call a function, with the dependencies that it wants, or await it if it is a coroutine function."""
        wanted = {} if context.dependencies is None else await context.dependencies.of(function)
        if is_coroutine_function(function):
            return await function(context, *arguments, **wanted)
        if self._threads is None:
            self._threads = StepThreads(_MOST_THREADS)
        variables = contextvars.copy_context()
        leave = None if holding is None else holding.enter_thread()

        def run() -> Any:
            try:
                return variables.run(function, context, *arguments, **wanted)
            except (StopIteration, SystemExit) as error:
                # Neither can be handed over by a thread, or must end the process; so it becomes an ordinary error.
                msg = f"it raised {type(error).__name__}: {error}"
                raise RuntimeError(msg) from error
            finally:
                if leave is not None:
                    leave()

        answer = await asyncio.get_running_loop().run_in_executor(self._threads, run)
        return await answer if inspect.isawaitable(answer) else answer

    def close(self) -> None:
        """Start no threads any more; those that run a function end with it, or with the process."""
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)
            self._threads = None
