"""Who wants to be woken: the half of `WakeUps` that its adapters have in common."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Collection
from typing import NamedTuple

__all__ = ["Subscriptions"]


class _Subscription(NamedTuple):
    wake: Callable[[], None]
    queues: frozenset[str] | None
    loop: asyncio.AbstractEventLoop


class Subscriptions:
    """Subscribers of any event loop and thread; each is called in its own loop."""

    __slots__ = ("_subscribed", "_tickets")

    def __init__(self) -> None:
        self._subscribed: dict[int, _Subscription] = {}
        self._tickets = itertools.count()

    def __bool__(self) -> bool:
        return bool(self._subscribed)

    def add(self, wake: Callable[[], None], queues: frozenset[str] | None) -> Callable[[], None]:
        """Subscribe in the running event loop; see `WakeUps.subscribe`."""
        ticket = next(self._tickets)
        self._subscribed[ticket] = _Subscription(wake, queues, asyncio.get_running_loop())

        def end() -> None:
            self._subscribed.pop(ticket, None)

        return end

    def clear(self) -> None:
        """End all subscriptions."""
        self._subscribed.clear()

    def are_here(self) -> bool:
        """Whether somebody has subscribed in the running event loop."""
        here = asyncio.get_running_loop()
        return any(subscription.loop is here for subscription in tuple(self._subscribed.values()))

    def wake(self, queues: Collection[str] | None) -> None:
        """Wake those who serve one of these queues; None wakes all. From any thread."""
        for ticket, subscription in tuple(self._subscribed.items()):
            if queues is None or subscription.queues is None or not subscription.queues.isdisjoint(queues):
                try:
                    subscription.loop.call_soon_threadsafe(subscription.wake)
                except RuntimeError:  # its loop is closed
                    self._subscribed.pop(ticket, None)
