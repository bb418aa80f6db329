"""How a group runs by itself, in one process and without a store: the same scopes, but in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Protocol

from workflows_core.authoring.context import WorkflowContext

__all__ = ["all_results", "first_result", "output_keys", "publish"]


class Scoped(Protocol):
    """What a group says about the way out of its scope."""

    outputs: Mapping[str, str] | Sequence[str]
    into: str | None


def output_keys(outputs: Mapping[str, str] | Sequence[str]) -> dict[str, str]:
    """Outer data key by inner data key.

    Raises:
        TypeError: It is neither a mapping nor a list of keys.
    """
    if isinstance(outputs, str) or not isinstance(outputs, Mapping | Sequence):
        msg = f"outputs of a group are a mapping of inner to outer keys, or a list of keys, not {outputs!r}"
        raise TypeError(msg)
    return dict(outputs) if isinstance(outputs, Mapping) else {key: key for key in outputs}


def publish(group: Scoped, context: WorkflowContext, inner: WorkflowContext, result: Any) -> Any:
    """Carry out of a group what it says, and return its result."""
    for key, outer in output_keys(group.outputs).items():
        if key in inner.data:
            context.set(outer, inner.data[key])
    if group.into is not None:
        context.set(group.into, result)
    return result


async def all_results(calls: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
    """Run all and give their results in order; if one fails the others are cancelled, and its error is raised."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        await _cancel(tasks)


async def first_result(calls: Sequence[Coroutine[Any, Any, Any]]) -> Any:
    """Run all, give the result (or raise the error) of the first to finish, and cancel the others; None if there is none."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED) if tasks else (set(), None)
        return next((task.result() for task in tasks if task in done), None)
    finally:
        await _cancel(tasks)


async def _cancel(tasks: Sequence[asyncio.Future[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
