"""Rules for every `WakeUps`: who serves a queue hears of it, and nobody who has left is called."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from workflows_core.ports.executor import WorkRef
from workflows_core.ports.wake_ups import WakeUps

__all__ = ["WakeUpsConformance"]

REF = WorkRef(UUID(int=7), 1)
_QUIET_S = 0.1


class WakeUpsConformance:
    """The suite; override the fixtures ``wake_ups`` and ``give_hint``, and ``deaf`` where hints come from elsewhere.

    Attributes:
        adapter: The class under test.
        patience_s: Seconds after which a hint is taken for lost.
    """

    adapter: type
    patience_s: float = 10.0

    @pytest.fixture
    def wake_ups(self) -> WakeUps:
        """What is under test."""
        msg = f"{type(self).__name__} must override the fixture `wake_ups`"
        raise TypeError(msg)

    @pytest.fixture
    def give_hint(self, wake_ups: WakeUps) -> Callable[[str], Awaitable[None]]:
        """Gives a hint about work in a queue, as another process would if hints come from elsewhere."""
        msg = f"{type(self).__name__} must override the fixture `give_hint`"
        raise TypeError(msg)

    @pytest.fixture
    def deaf(self, wake_ups: WakeUps) -> WakeUps:
        """One that cannot reach where hints come from; ``wake_ups`` itself where they come from this process."""
        return wake_ups

    async def test_a_hint_wakes_whoever_serves_the_queue(
        self, wake_ups: WakeUps, give_hint: Callable[[str], Awaitable[None]]
    ) -> None:
        everything, some = asyncio.Event(), asyncio.Event()
        ends = [
            wake_ups.subscribe(everything.set),
            wake_ups.subscribe(some.set, queues=frozenset({"mail", "日本語 queue"})),
        ]
        await self._proven(wake_ups)
        await give_hint("日本語 queue")
        await self._heard(everything, some)
        for end in ends:
            end()

    async def test_every_hint_wakes_again(self, wake_ups: WakeUps, give_hint: Callable[[str], Awaitable[None]]) -> None:
        heard = asyncio.Event()
        end = wake_ups.subscribe(heard.set, queues=frozenset({"default"}))
        await self._proven(wake_ups)
        for _ in range(5):
            heard.clear()
            await give_hint("default")
            await self._heard(heard)
        end()

    async def test_nobody_is_called_after_the_end_of_a_subscription(
        self, wake_ups: WakeUps, give_hint: Callable[[str], Awaitable[None]]
    ) -> None:
        left, stays = asyncio.Event(), asyncio.Event()
        end_left, end_stays = wake_ups.subscribe(left.set), wake_ups.subscribe(stays.set)
        await self._proven(wake_ups)
        end_left()
        end_left()
        await asyncio.sleep(_QUIET_S)
        left.clear()
        stays.clear()
        await give_hint("default")
        await self._heard(stays)
        assert not left.is_set()
        end_stays()

    async def test_hints_are_known_to_arrive_where_they_do(self, wake_ups: WakeUps) -> None:
        end = wake_ups.subscribe(asyncio.Event().set)
        await self._proven(wake_ups)
        end()

    async def test_who_cannot_be_reached_is_no_error(self, deaf: WakeUps) -> None:
        end = deaf.subscribe(asyncio.Event().set)
        await asyncio.sleep(_QUIET_S)
        assert isinstance(deaf.is_proven, bool)
        end()
        await deaf.close()

    async def test_closing_ends_the_subscriptions_and_can_be_done_twice(
        self, wake_ups: WakeUps, give_hint: Callable[[str], Awaitable[None]]
    ) -> None:
        heard = asyncio.Event()
        end = wake_ups.subscribe(heard.set)
        await self._proven(wake_ups)
        await wake_ups.close()
        await wake_ups.close()
        await asyncio.sleep(_QUIET_S)
        heard.clear()
        await give_hint("default")
        await asyncio.sleep(_QUIET_S)
        assert not heard.is_set()
        end()

    async def _proven(self, wake_ups: WakeUps) -> None:
        async with asyncio.timeout(self.patience_s):
            while not wake_ups.is_proven:  # noqa: ASYNC110 - a property of another object
                await asyncio.sleep(0.005)

    async def _heard(self, *events: asyncio.Event) -> None:
        async with asyncio.timeout(self.patience_s):
            for event in events:
                await event.wait()
