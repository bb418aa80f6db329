"""How a host hears that ARQ's worker is to end, before ARQ itself tells it."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from typing import Any, Final

__all__ = ["overhear"]

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def overhear(tell: Callable[[], object]) -> Callable[[], None]:
    """Call something in the running event loop when a signal comes that ends the process; whoever else handles it does so, too.

    The event loop, in which ARQ has its handler, learns of signals from a descriptor that Python writes to. Python's own handler is called
    besides, and that place is taken here.

    Returns:
        What ends it.
    """
    if threading.current_thread() is not threading.main_thread():
        return lambda: None  # the only one that may handle signals
    loop = asyncio.get_running_loop()
    before: dict[signal.Signals, Callable[..., Any]] = {}

    def handle(number: int, frame: Any) -> None:
        loop.call_soon_threadsafe(tell)
        before[signal.Signals(number)](number, frame)

    for number in _SIGNALS:
        handler = signal.getsignal(number)
        if callable(handler):  # else nobody wants to end in good order
            before[number] = handler
            signal.signal(number, handle)

    def end() -> None:
        for number, handler in before.items():
            if signal.getsignal(number) is handle:
                signal.signal(number, handler)

    return end
