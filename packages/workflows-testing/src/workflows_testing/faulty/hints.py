"""Faults of what wakes workers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from workflows_core.adapters.subscriptions import Subscriptions
from workflows_core.ports.clock import Clock
from workflows_core.ports.wake_ups import WakeUps
from workflows_testing.conformance.wake_ups import WakeUpsConformance
from workflows_testing.faulty.fault import Fault

__all__ = ["FAULTS"]


class BrokenWakeUps(WakeUps):
    """Sound by itself; each fault changes one thing."""

    def __init__(self) -> None:
        self.subscriptions = Subscriptions()

    def subscribe(self, wake: Callable[[], None], *, queues: frozenset[str] | None = None) -> Callable[[], None]:
        return self.subscriptions.add(wake, queues)

    @property
    def is_proven(self) -> bool:
        return True

    async def close(self) -> None:
        self.subscriptions.clear()

    async def hint(self, queue: str) -> None:
        """Give a hint."""
        self.subscriptions.wake((queue,))


class NeverWakes(BrokenWakeUps):
    async def hint(self, queue: str) -> None:
        return


class WakesOnce(BrokenWakeUps):
    async def hint(self, queue: str) -> None:
        await super().hint(queue)
        self.subscriptions.clear()


class WakesTheDeparted(BrokenWakeUps):
    def subscribe(self, wake: Callable[[], None], *, queues: frozenset[str] | None = None) -> Callable[[], None]:
        super().subscribe(wake, queues=queues)
        return lambda: None


class IsNeverSure(BrokenWakeUps):
    @property
    def is_proven(self) -> bool:
        return False


class NeedsItsServer(BrokenWakeUps):
    def subscribe(self, wake: Callable[[], None], *, queues: frozenset[str] | None = None) -> Callable[[], None]:
        msg = "connection refused"
        raise ConnectionError(msg)


class GoesOnAfterItsEnd(BrokenWakeUps):
    async def close(self) -> None:
        return


class ClosesOnce(BrokenWakeUps):
    is_closed = False

    async def close(self) -> None:
        await super().close()
        if self.is_closed:
            msg = "closed already"
            raise RuntimeError(msg)
        self.is_closed = True


def _fixtures(make: Callable[[], BrokenWakeUps], _clock: Clock) -> Mapping[str, Any]:
    wake_ups = make()
    return {"wake_ups": wake_ups, "give_hint": wake_ups.hint, "deaf": wake_ups}


FAULTS: Final[tuple[Fault, ...]] = tuple(
    Fault(name, (WakeUpsConformance,), partial(_fixtures, make), crashes)
    for make, name, crashes in (
        (NeverWakes, "never wakes anybody", False),
        (WakesOnce, "wakes once", False),
        (WakesTheDeparted, "wakes who has left", False),
        (IsNeverSure, "never knows that hints arrive", False),
        (NeedsItsServer, "fails without its server", True),
        (GoesOnAfterItsEnd, "goes on after its end", False),
        (ClosesOnce, "can be closed once", True),
    )
)
