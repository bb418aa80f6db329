"""A thread with an event loop of its own, for what must go on whatever the others do."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

__all__ = ["LoopThread"]

logger = logging.getLogger(__name__)

_PATIENCE_S: Final = 10.0


class LoopThread:
    """Runs one coroutine in a thread and event loop of its own; started and stopped from another loop, which is not held up by it.

    Args:
        name: Name of the thread.
        work: Makes the coroutine, which is cancelled by `stop`.
    """

    def __init__(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._owner = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._task = self._loop.create_task(work())
        # A daemon: should its work hang in a driver, it does not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Cancel the work, and wait until the thread has ended; it is given up where that takes longer than ten seconds."""
        with suppress(RuntimeError):  # it has ended by itself
            self._loop.call_soon_threadsafe(self._task.cancel)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._ended.wait()
        except TimeoutError:
            logger.warning("thread %s does not end, and is left to itself", self._thread.name)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            return
        except Exception:
            logger.exception("thread %s has ended by an error", self._thread.name)
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()
            with suppress(RuntimeError):  # the owner's loop is closed: nobody waits
                self._owner.call_soon_threadsafe(self._ended.set)
