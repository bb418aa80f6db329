"""A worker as the main program of a process: it ends in good order when it is told to, and at once when told again."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Final

from workflows_core.engine.worker import Worker

__all__ = ["serve"]

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


async def serve(worker: Worker, *, drain_s: float, stopping: Callable[[signal.Signals], None]) -> None:
    """Run a worker until SIGTERM or SIGINT; must be called in the main thread.

    The first signal makes it claim no more, and wait for the steps under way. A second one ends the process at once, as if it had
    been killed: what it held is taken over by others when its leases have ended.

    Args:
        worker: The worker.
        drain_s: Seconds after which steps still under way are cancelled and given back.
        stopping: Called with the first signal.
    """
    loop = asyncio.get_running_loop()
    stops: list[asyncio.Task[None]] = []

    def stop(signum: signal.Signals) -> None:
        if stops:
            os._exit(128 + signum)
        stopping(signum)
        stops.append(loop.create_task(worker.stop(drain_s=drain_s)))

    for signum in _SIGNALS:
        loop.add_signal_handler(signum, stop, signum)
    try:
        await worker.run()
        await asyncio.gather(*stops)
    finally:
        for signum in _SIGNALS:
            loop.remove_signal_handler(signum)
