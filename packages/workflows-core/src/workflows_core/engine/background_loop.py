"""An event loop in a thread, for a process whose own code blocks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["BackgroundLoop"]

T = TypeVar("T")


class BackgroundLoop:
    """Runs coroutines for other threads, all in one loop.

    Args:
        name: Name of the thread.
    """

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], *, within_s: float | None = None) -> T:
        """Run a coroutine and wait for it; not in the thread of the loop itself.

        Args:
            work: The coroutine.
            within_s: Seconds after which it is cancelled, whether the loop has come to it or not; None waits until it has ended.

        Raises:
            TimeoutError: It has not ended within that time.
        """
        running = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return running.result(within_s)
        except TimeoutError:
            running.cancel()
            raise

    def stop(self) -> None:
        """End the loop and its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()
