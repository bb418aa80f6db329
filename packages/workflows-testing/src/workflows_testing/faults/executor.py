"""An executor whose hints go astray as a plan says."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from workflows_core.ports.executor import StepExecutor, WorkRef
from workflows_core.ports.wake_ups import WakeUps
from workflows_testing.faults.fault import Fault
from workflows_testing.faults.plan import FaultPlan

__all__ = ["DelayHint", "DoubleHint", "FaultyExecutor", "FaultyWakeUps", "HintFault", "LoseHint", "ReorderHints"]

Send: TypeAlias = Callable[[], Awaitable[None]]


class HintFault(Fault, ABC):
    """Something that goes wrong with one hint."""

    methods: ClassVar[frozenset[str]] = frozenset({"publish"})

    @abstractmethod
    async def befall(self, send: Send, executor: FaultyExecutor) -> None:
        """Do something else than ``await send()``."""


@dataclass(frozen=True)
class LoseHint(HintFault):
    """The hint is lost."""

    async def befall(self, send: Send, executor: FaultyExecutor) -> None:
        return


@dataclass(frozen=True)
class DoubleHint(HintFault):
    """The hint is given twice."""

    async def befall(self, send: Send, executor: FaultyExecutor) -> None:
        await send()
        await send()


@dataclass(frozen=True)
class DelayHint(HintFault):
    """The hint comes late.

    Attributes:
        seconds: How late, by the event loop's clock.
    """

    seconds: float

    async def befall(self, send: Send, executor: FaultyExecutor) -> None:
        executor.send_later(send, self.seconds)


@dataclass(frozen=True)
class ReorderHints(HintFault):
    """The hint is kept back until the next one was given; if none comes, it is lost."""

    async def befall(self, send: Send, executor: FaultyExecutor) -> None:
        executor.keep_back(send)


class FaultyExecutor(StepExecutor):
    """Any executor, with faults in the way of its hints."""

    def __init__(self, executor: StepExecutor, plan: FaultPlan) -> None:
        """Wrap an executor.

        Args:
            executor: The executor, sound in itself.
            plan: Which hints go astray; may be shared with other wrappers.
        """
        self.plan = plan
        self._executor = executor
        self._kept_back: list[Send] = []
        self._under_way: set[asyncio.Task[None]] = set()

    async def publish(self, items: Sequence[WorkRef], *, queue: str, priority: int = 0) -> None:
        """Give the hint, unless the plan has a fault for it; then those that were kept back."""

        async def send() -> None:
            await self._executor.publish(items, queue=queue, priority=priority)

        waiting, self._kept_back = self._kept_back, []
        fault = self.plan.next("publish", HintFault)  # type: ignore[type-abstract]
        await (send() if fault is None else fault.befall(send, self))
        for earlier in reversed(waiting):
            await earlier()

    def keep_back(self, send: Send) -> None:
        """Give a hint after the next one."""
        self._kept_back.append(send)

    def send_later(self, send: Send, seconds: float) -> None:
        """Give a hint after some seconds."""

        async def later() -> None:
            await asyncio.sleep(seconds)
            await send()

        task = asyncio.create_task(later())
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def forget(self) -> None:
        """Lose the hints that are still to come."""
        self._kept_back.clear()
        under_way = tuple(self._under_way)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def close(self) -> None:
        """Lose the hints that are still to come, and close the executor."""
        await self.forget()
        await self._executor.close()


class FaultyWakeUps(FaultyExecutor, WakeUps):
    """The same around an executor at whose other end workers of this process listen, as at an `InProcessExecutor`."""

    def __init__(self, executor: StepExecutor, wake_ups: WakeUps, plan: FaultPlan) -> None:
        """Wrap an executor.

        Args:
            executor: The executor, sound in itself.
            wake_ups: Where its hints arrive; often the executor itself.
            plan: Which hints go astray.
        """
        super().__init__(executor, plan)
        self._wake_ups = wake_ups

    def subscribe(self, wake: Callable[[], None], *, queues: frozenset[str] | None = None) -> Callable[[], None]:
        """Listen at the other end, where only those hints arrive that got so far."""
        return self._wake_ups.subscribe(wake, queues=queues)

    @property
    def is_proven(self) -> bool:
        """Whether hints arrive when nothing goes wrong."""
        return self._wake_ups.is_proven

    async def close(self) -> None:
        """End all subscriptions, and lose the hints that are still to come."""
        await super().close()
        await self._wake_ups.close()
