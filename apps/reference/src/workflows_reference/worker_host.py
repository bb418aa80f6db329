"""What the workers of all task queues have in common: their engine comes out of a container."""

from __future__ import annotations

from typing import Any

from dishka import AsyncContainer

from workflows_core import WorkflowEngine
from workflows_core.engine.hosting import WorkerHost
from workflows_reference.ioc import make_container
from workflows_reference.settings import Settings

__all__ = ["ContainerHost"]


class ContainerHost(WorkerHost):
    """Makes a container in the process that runs the steps, and closes it there. To be mixed in before the host of a task queue.

    Args:
        settings: What the environment says.
        arguments: Those of the host before its factory.
    """

    def __init__(self, settings: Settings, *arguments: Any) -> None:
        make_host: Any = super().__init__  # that of the next class, which may want arguments of its own
        make_host(*arguments, self._make_engine, concurrency=settings.concurrency)
        self._settings = settings
        self._container: AsyncContainer | None = None

    async def stop(self) -> None:
        """Stop the worker and close the engine, then everything else."""
        await super().stop()
        container, self._container = self._container, None
        if container is not None:
            await container.close()

    async def _make_engine(self) -> WorkflowEngine:
        self._container = make_container(self._settings)
        return await self._container.get(WorkflowEngine)
