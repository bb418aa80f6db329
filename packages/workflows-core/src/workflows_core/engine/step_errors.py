"""What is recorded of an error of the application's code."""

from __future__ import annotations

import asyncio
import traceback
from typing import Final

from workflows_core.domain.state import ErrorInfo
from workflows_core.errors import PayloadError

__all__ = ["error_info", "message_of", "names_of", "raise_if_cancelled"]

_TRACEBACK_LINES: Final = 30


def error_info(error: BaseException, step: str, notes: tuple[str, ...]) -> ErrorInfo:
    """The record of an error of a step."""
    if isinstance(error, PayloadError) and not error.step:
        error.step = step
    lines = traceback.format_exception(error)
    text = "".join(lines[-_TRACEBACK_LINES:])
    return ErrorInfo(type(error).__name__, message_of(error), step, text, notes)


def names_of(error: BaseException) -> frozenset[str]:
    """The names by which a retry policy may mean an error: those of its class and the bases of that, with and without module."""
    classes = [cls for cls in type(error).__mro__ if cls is not object]
    names = {cls.__name__ for cls in classes} | {f"{cls.__module__}.{cls.__qualname__}" for cls in classes}
    return frozenset(names)


def message_of(error: BaseException) -> str:
    """What an error of the application says, also if it cannot say it."""
    try:
        return str(error)
    except Exception as second:  # noqa: BLE001 - its code may do anything
        return f"(its message cannot be made: {type(second).__name__})"


def raise_if_cancelled(error: BaseException) -> None:
    """Go on with a cancellation that is meant for the worker; one that came out of the application's own tasks is its error."""
    task = asyncio.current_task()
    if isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling()):
        raise error
