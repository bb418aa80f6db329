"""The half of an executor that all message brokers have in common: hints gather, and are sent in the background."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, NamedTuple

from workflows_core.ports.executor import StepExecutor, WorkRef

__all__ = ["BrokerExecutor", "Hint"]

logger = logging.getLogger(__name__)

_MOST_AT_ONCE: Final = 10
_MOST_WAITING: Final = 10_000
_SEND_WITHIN_S: Final = 15.0
_CLOSE_WITHIN_S: Final = 5.0
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0


class Hint(NamedTuple):
    """What is sent: there is work.

    Attributes:
        queue: Whose workers may take it.
        ref: The work item that gave rise to it, for people who look into the broker; any due work of the queue is an answer.
    """

    queue: str
    ref: WorkRef


class BrokerExecutor(StepExecutor, ABC):
    """Sends hints through a broker, after the transition and never in its way.

    Each queue of work has a line of its own, so that one whose hints the broker refuses holds up no other. While the broker is down the
    newest hints of each are kept, and sent when it is back; the oldest are lost, and workers find that work by looking for themselves. It
    belongs to the event loop in which it publishes.
    """

    def __init__(self) -> None:
        """Begin with nothing to send."""
        self._lines: dict[str, _Line] = {}
        self._is_closed = False

    async def publish(self, items: Sequence[WorkRef], *, queue: str, priority: int = 0) -> None:  # noqa: ARG002
        if self._is_closed or not items:
            return
        line = self._lines.get(queue)
        if line is None:
            line = self._lines[queue] = _Line(queue, self.send)
        line.add(Hint(queue, ref) for ref in items)

    @abstractmethod
    async def send(self, hint: Hint) -> None:
        """Hand a hint to the broker, as one message; called for a few hints of each queue of work at once.

        A hint is sent again only if this raises, or takes so long that it is cancelled.

        Raises:
            Exception: The broker does not take it.
        """

    @abstractmethod
    async def disconnect(self) -> None:
        """Give back what `send` has opened."""

    async def close(self) -> None:
        """Send what is left if the broker takes it now, and give back connections."""
        self._is_closed = True
        lines, self._lines = self._lines, {}
        await asyncio.gather(*(line.close() for line in lines.values()))
        await self.disconnect()


class _Line:
    """The hints of one queue of work, on their way to the broker."""

    def __init__(self, queue: str, send: Callable[[Hint], Awaitable[None]]) -> None:
        self._queue = queue
        self._send = send
        self._waiting: deque[Hint] = deque(maxlen=_MOST_WAITING)
        self._sending: asyncio.Task[None] | None = None
        self._is_down = False

    def add(self, hints: Iterable[Hint]) -> None:
        """Let hints wait, and begin to send them."""
        self._waiting.extend(hints)
        loop = asyncio.get_running_loop()
        if self._sending is None or self._sending.done() or self._sending.get_loop() is not loop:
            self._sending = loop.create_task(self._send_all())

    async def close(self) -> None:
        """Send what is left, if the broker takes it now."""
        sending, self._sending = self._sending, None
        if sending is not None and sending.get_loop() is asyncio.get_running_loop():
            if self._is_down:
                sending.cancel()
            await asyncio.wait((sending,), timeout=_CLOSE_WITHIN_S)
            sending.cancel()
        self._waiting.clear()

    async def _send_all(self) -> None:
        """Send what has gathered, and what gathers meanwhile, for as long as that takes; what the broker did not take goes again."""
        pause_s = _FIRST_PAUSE_S
        while self._waiting:
            hints = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST_AT_ONCE))]
            errors = await asyncio.gather(*map(self._try, hints))
            self._put_back([hint for hint, error in zip(hints, errors, strict=True) if error is not None])
            if all(errors):
                self._note_failure(errors[0])
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
            else:
                pause_s, self._is_down = _FIRST_PAUSE_S, False

    async def _try(self, hint: Hint) -> Exception | None:
        """Send a hint; what has prevented it."""
        try:
            async with asyncio.timeout(_SEND_WITHIN_S):
                await self._send(hint)
        except Exception as error:  # noqa: BLE001 - whatever the broker's client raises: a hint never harms the one who gives it
            return error
        return None

    def _note_failure(self, error: Exception | None) -> None:
        if not self._is_down:
            logger.warning(
                "the broker takes no hints of queue %r; workers find the work by themselves, later: %r",
                self._queue,
                error,
            )
        self._is_down = True

    def _put_back(self, hints: Sequence[Hint]) -> None:
        room = _MOST_WAITING - len(self._waiting)
        if room > 0:
            self._waiting.extendleft(reversed(hints[-room:]))
