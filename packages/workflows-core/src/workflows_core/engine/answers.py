"""Hints of a task queue that wait for an answer: each is answered with one piece of due work, whichever the store holds for first."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

__all__ = ["Answers", "Asked"]


class Asked:
    """A hint that waits.

    Attributes:
        queue: Of which queue it tells.
        answer: Whether there was work; known when its task queue may deliver more.
        is_begun: Whether there is, known before.
    """

    __slots__ = ("answer", "is_begun", "queue")

    def __init__(self, queue: str) -> None:
        self.queue: Final = queue
        self.answer: Final[asyncio.Future[bool]] = asyncio.get_running_loop().create_future()
        self.is_begun = False

    def refuse(self) -> None:
        """Answer that there is no work."""
        self._tell(answer=False)

    def follow(self, work: asyncio.Task[None] | None, *, is_awaited: bool) -> None:
        """Answer for the work that was found, if any: now, or when it has ended."""
        self.is_begun = work is not None
        if work is not None and is_awaited:
            work.add_done_callback(lambda _: self._tell(answer=True))
        else:
            self._tell(answer=self.is_begun)

    def _tell(self, *, answer: bool) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)


class Answers:
    """Hints that wait, oldest first; belongs to the event loop of the worker that answers them."""

    def __init__(self) -> None:
        """Begin with none."""
        self._waiting: deque[Asked] = deque()

    def ask(self, queue: str) -> Asked:
        """Let a hint wait."""
        asked = Asked(queue)
        self._waiting.append(asked)
        return asked

    def waiting(self) -> list[Asked]:
        """The hints that somebody still waits for and for which nothing was found yet."""
        self._waiting = deque(asked for asked in self._waiting if not (asked.is_begun or asked.answer.done()))
        return list(self._waiting)

    def refuse_all(self) -> None:
        """There will be no work for any of them."""
        for asked in self.waiting():
            asked.refuse()
