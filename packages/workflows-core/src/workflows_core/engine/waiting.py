"""Wait for an instance: woken by the commits of this process, and looking for itself now and then for those of others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

from workflows_core.domain.types import WorkflowStatus
from workflows_core.engine.commits import Commits
from workflows_core.engine.instances import WorkflowInstance

__all__ = ["is_at_rest", "wait_until"]


def is_at_rest(instance: WorkflowInstance) -> bool:
    """Whether an instance is over, or waits for something outside: that its time to begin comes, too."""
    return instance.status.is_final or instance.status in {WorkflowStatus.WAITING, WorkflowStatus.PENDING}


async def wait_until(
    instance_id: UUID,
    condition: Callable[[WorkflowInstance], bool],
    *,
    commits: Commits,
    read: Callable[[UUID], Awaitable[WorkflowInstance]],
    poll_s: float,
    timeout_s: float | None,
) -> WorkflowInstance:
    """Wait until an instance satisfies a condition.

    Raises:
        TimeoutError: It does not after ``timeout_s`` seconds.
    """
    changed = asyncio.Event()
    stop_watching = commits.watch(instance_id, changed.set)
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                changed.clear()
                instance = await read(instance_id)
                if condition(instance):
                    return instance
                await _at_most(changed, poll_s)
    finally:
        stop_watching()


async def _at_most(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
