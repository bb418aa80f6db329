"""Through SAQ: `workflows_reference.worker_saq` is the other end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from dishka import Provider, Scope, provide
from saq import Queue

from workflows_core.ports.executor import StepExecutor
from workflows_reference.settings import Settings
from workflows_saq import SAQStepExecutor

__all__ = ["ExecutorProvider", "make_queue"]

_NAME: Final = "workflows"


class ExecutorProvider(Provider):
    """SAQ's queue, and hints through it."""

    scope = Scope.APP

    @provide
    async def queue(self, settings: Settings) -> AsyncIterator[Queue]:
        """Connects when the first hint is sent."""
        queue = make_queue(settings)
        yield queue
        await queue.disconnect()

    @provide(override=True)
    def executor(self, queue: Queue) -> StepExecutor:
        """Sends hints as jobs."""
        return SAQStepExecutor(queue)


def make_queue(settings: Settings) -> Queue:
    """The queue, not yet connected."""
    return Queue.from_url(settings.redis_url, name=_NAME)
