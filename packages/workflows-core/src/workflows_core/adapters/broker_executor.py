"""The half of an executor that all message brokers have in common: hints gather, and are sent in the background."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from workflows_core.ports.executor import StepExecutor, WorkRef

__all__ = ["BrokerExecutor", "Hint"]

logger = logging.getLogger(__name__)

_MOST_AT_ONCE: Final = 100
_MOST_WAITING: Final = 10_000
_SEND_WITHIN_S: Final = 5.0
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

    While the broker is down the newest hints are kept, and sent when it is back; the oldest are lost, and workers find that work by
    looking for themselves. It belongs to the event loop in which it publishes.
    """

    def __init__(self) -> None:
        """Begin with nothing to send."""
        self._waiting: deque[Hint] = deque(maxlen=_MOST_WAITING)
        self._sending: asyncio.Task[None] | None = None
        self._is_down = False
        self._is_closed = False

    async def publish(self, items: Sequence[WorkRef], *, queue: str, priority: int = 0) -> None:  # noqa: ARG002
        if self._is_closed:
            return
        self._waiting.extend(Hint(queue, ref) for ref in items)
        loop = asyncio.get_running_loop()
        if self._waiting and (self._sending is None or self._sending.done() or self._sending.get_loop() is not loop):
            self._sending = loop.create_task(self._send_all())

    @abstractmethod
    async def send(self, hints: Sequence[Hint]) -> None:
        """Hand hints to the broker, one message for each.

        Raises:
            Exception: The broker does not take them; what it took already may be sent again.
        """

    @abstractmethod
    async def disconnect(self) -> None:
        """Give back what `send` has opened."""

    async def close(self) -> None:
        """Send what is left if the broker takes it now, and give back connections."""
        self._is_closed = True
        sending, self._sending = self._sending, None
        if sending is not None and sending.get_loop() is asyncio.get_running_loop():
            if self._is_down:
                sending.cancel()
            await asyncio.wait((sending,), timeout=_SEND_WITHIN_S)
            sending.cancel()
        self._waiting.clear()
        await self.disconnect()

    async def _send_all(self) -> None:
        """Send what has gathered, and what gathers meanwhile, for as long as that takes."""
        pause_s = _FIRST_PAUSE_S
        while self._waiting:
            hints = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST_AT_ONCE))]
            try:
                async with asyncio.timeout(_SEND_WITHIN_S):
                    await self.send(hints)
            except Exception as error:  # noqa: BLE001 - whatever the broker's client raises: a hint never harms the one who gives it
                self._fail(hints, error)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
            else:
                pause_s, self._is_down = _FIRST_PAUSE_S, False

    def _fail(self, hints: Sequence[Hint], error: Exception) -> None:
        if not self._is_down:
            logger.warning("the broker takes no hints; workers find the work by themselves, later: %r", error)
        self._is_down = True
        room = _MOST_WAITING - len(self._waiting)
        if room > 0:
            self._waiting.extendleft(reversed(hints[-room:]))
