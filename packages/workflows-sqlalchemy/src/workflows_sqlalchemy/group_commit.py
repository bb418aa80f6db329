"""Group commit: writes that arrive while others are being committed go into the next batch together.

A write that finds nobody at work goes out at once, so a lone caller waits for nothing. Under load the batches grow with it, and the cost
of a transaction is shared. Where several batches may be under way, a crowd is dealt out among those that are not: all in one batch would
be told at once, so that nobody wrote while the next steps run, and nothing ran while they are written. Each caller learns of its own
write, after the commit and never before.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Final, NamedTuple, TypeAlias

from workflows_core.ports.store import Write, WriteResult

__all__ = ["GroupCommit", "Outcome"]

Outcome: TypeAlias = WriteResult | Exception
"""What became of one write: its result, or the error that is its own."""

_LEAST: Final = 16
"""Writes that are not dealt out: so few gain less by overlapping than another transaction costs."""


class _Waiting(NamedTuple):
    write: Write
    outcome: asyncio.Future[Outcome]


class GroupCommit:
    """Collects writes and commits them in batches; belongs to the event loop in which it is first used.

    Args:
        commit: Commits a batch, in which no instance comes twice; gives an outcome for each write.
        parallel: Most batches under way at once.
        most: Most writes in one batch.
        place: What a write is about: of two that are about the same, the second waits for the first.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Write]], Awaitable[list[Outcome]]],
        *,
        parallel: int,
        most: int = 256,
        place: Callable[[Write], Hashable] = lambda write: write.transition.state.id,
    ) -> None:
        self._commit = commit
        self._parallel = parallel
        self._most = most
        self._place = place
        self._waiting: deque[_Waiting] = deque()
        self._busy: set[Hashable] = set()
        self._batches: set[asyncio.Task[None]] = set()
        self._is_called = False

    async def commit(self, writes: Sequence[Write]) -> list[Outcome]:
        """Commit writes, each with whatever else is waiting; goes on to its end although the caller is cancelled."""
        loop = asyncio.get_running_loop()
        outcomes = [loop.create_future() for _ in writes]
        self._waiting.extend(map(_Waiting, writes, outcomes))
        if not self._is_called:
            # Whoever else is ready to write in this turn of the loop does so before the batch is made.
            self._is_called = True
            loop.call_soon(self._send)
        return [await outcome for outcome in outcomes]

    async def wait(self) -> None:
        """Wait until nothing is waiting or under way."""
        while self._waiting or self._batches:
            await asyncio.wait(self._batches) if self._batches else await asyncio.sleep(0)

    def _send(self) -> None:
        self._is_called = False
        while free := self._parallel - len(self._batches):
            batch = self._take(min(max(_LEAST, math.ceil(len(self._waiting) / free)), self._most))
            if not batch:
                return
            task = asyncio.get_running_loop().create_task(self._run(batch))
            self._batches.add(task)
            task.add_done_callback(self._sent)

    def _take(self, most: int) -> list[_Waiting]:
        """The writes that have waited longest, one about each thing; none about something that is under way."""
        batch: list[_Waiting] = []
        left: list[_Waiting] = []
        while self._waiting and len(batch) < most:
            waiting = self._waiting.popleft()
            place = self._place(waiting.write)
            if place in self._busy:
                left.append(waiting)
            else:
                self._busy.add(place)
                batch.append(waiting)
        self._waiting.extendleft(reversed(left))
        return batch

    async def _run(self, batch: list[_Waiting]) -> None:
        try:
            outcomes = await self._commit([waiting.write for waiting in batch])
        except Exception as error:  # noqa: BLE001 - raised by each of the callers
            outcomes = [error] * len(batch)
        for waiting, outcome in zip(batch, outcomes, strict=True):
            self._busy.discard(self._place(waiting.write))
            if not waiting.outcome.done():
                waiting.outcome.set_result(outcome)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._batches.discard(task)
        if self._waiting and not self._is_called:
            self._is_called = True
            task.get_loop().call_soon(self._send)
