"""The engine's life inside the application's."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from litestar import Litestar
from litestar.exceptions import ImproperlyConfiguredException

from workflows_core import StoreUnavailableError, Worker, WorkflowEngine
from workflows_litestar.config import WorkflowPluginConfig

__all__ = ["EngineLifespan"]

_LOGGER: Final = logging.getLogger("workflows_litestar")


class EngineLifespan:
    """Gets the engine when the application starts, and lets go of it when it stops.

    Args:
        config: Settings of the plugin.
    """

    def __init__(self, config: WorkflowPluginConfig) -> None:
        self._config = config
        self._engine = config.engine if isinstance(config.engine, WorkflowEngine) else None

    @property
    def engine(self) -> WorkflowEngine:
        """The engine.

        Raises:
            ImproperlyConfiguredException: It is asked for before the application has started.
        """
        if self._engine is None:
            msg = "the workflow engine is made when the application starts; run its lifespan first"
            raise ImproperlyConfiguredException(msg)
        return self._engine

    @asynccontextmanager
    async def run(self, app: Litestar) -> AsyncGenerator[None]:
        """Check the store, publish the definitions, run a worker if asked to; undo it in reverse.

        Raises:
            StoreUnavailableError: The store cannot be used; the log says why and how to mend it, in one line.
        """
        async with AsyncExitStack() as stack:
            if isinstance(self._config.engine, WorkflowEngine):
                stack.push_async_callback(self._config.engine.aclose)
            elif self._config.engine is not None:
                made = self._config.engine(app)
                self._engine = await made if inspect.isawaitable(made) else made
            await self._open()
            if self._config.run_worker:
                await stack.enter_async_context(self._worker())
            yield

    async def _open(self) -> None:
        engine = self.engine
        try:
            await engine.open()
        except StoreUnavailableError as error:
            _LOGGER.critical("workflows cannot start: %s", error)
            raise error from None
        address = engine.settings.public_url
        if address and not address.endswith(self._config.api_path):
            _LOGGER.warning(
                "webhook addresses begin with %s, but the API is mounted at %s: let EngineSettings.public_url end with it",
                address,
                self._config.api_path,
            )

    @asynccontextmanager
    async def _worker(self) -> AsyncGenerator[None]:
        worker = Worker(self.engine, concurrency=self._config.worker_concurrency)
        task = asyncio.create_task(worker.run(), name=f"workflows-worker-{worker.id}")
        task.add_done_callback(_report)
        try:
            yield
        finally:
            await worker.stop(drain_s=self._config.worker_drain_s)
            await asyncio.wait([task])


def _report(task: asyncio.Task[None]) -> None:
    """Say that a worker ended by an error, which nobody else would hear of while the application runs."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _LOGGER.critical("the workflow worker of this process has ended; its work is left to others", exc_info=error)
