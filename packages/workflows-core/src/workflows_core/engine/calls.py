"""Calls into the code of the application: coroutine functions are awaited, plain functions run in a thread."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

__all__ = ["call"]


async def call(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function of the application, in a thread of its own unless it is a coroutine function."""
    if inspect.iscoroutinefunction(function):
        return await function(*args)
    result = await asyncio.to_thread(function, *args)
    return await result if inspect.isawaitable(result) else result
