"""How long an attempt may take: its own limit, what is left of the step's, and the time without a sign of life."""

from __future__ import annotations

import asyncio
import math
from types import TracebackType

from workflows_core.domain.graph import Node
from workflows_core.engine.holding import Holding
from workflows_core.errors import StepTimeoutError

__all__ = ["TimeLimit"]


class TimeLimit:
    """The time of one attempt; an asynchronous context manager around it, and what its context asks.

    The code is cancelled when the time is over. Code in a thread goes on, and can see it by ``context.cancelled``.
    """

    def __init__(self, node: Node, left_s: float | None, holding: Holding) -> None:
        """Limit an attempt that is about to begin.

        Args:
            node: The step.
            left_s: Seconds that the store still gives it; None if it has no limit there, as what follows from a step has none.
            holding: What its worker holds.
        """
        self._node = node
        self._holding = holding
        self._left_s = math.inf if left_s is None else left_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scope: asyncio.Timeout | None = None
        self._end = math.inf
        self._is_over = False

    @property
    def is_spent(self) -> bool:
        """Whether nothing is left of the step's time."""
        return self._left_s <= 0

    async def __aenter__(self) -> None:
        limits = (self._left_s, self._node.attempt_timeout_s, self._node.heartbeat_s)
        if all(limit is None or limit == math.inf for limit in limits):
            return
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.time() + min(self._left_s, self._node.attempt_timeout_s or math.inf)
        self._scope = asyncio.timeout_at(self._next())
        await self._scope.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        scope, self._scope = self._scope, None
        if scope is None or self._loop is None:
            return
        try:
            await scope.__aexit__(kind, error, traceback)
        except TimeoutError:
            self._is_over = True
            raise self._expiry(self._loop.time()) from None

    def beat(self) -> None:
        """Take a sign of life; called from any thread."""
        if self._node.heartbeat_s is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._put_off)

    def stops(self) -> bool:
        """Whether the code is to stop; called from any thread."""
        return self._is_over or self._holding.stops()

    def _put_off(self) -> None:
        scope = self._scope
        if scope is not None and not scope.expired():
            scope.reschedule(self._next())

    def _next(self) -> float:
        now = 0.0 if self._loop is None else self._loop.time()
        return min(self._end, now + (self._node.heartbeat_s or math.inf))

    def _expiry(self, now: float) -> StepTimeoutError:
        node = self._node
        if now < self._end:
            return StepTimeoutError(node.name, f"its code gave no sign of life for {node.heartbeat_s} s")
        if self._left_s <= (node.attempt_timeout_s or math.inf):
            return StepTimeoutError(node.name, f"it took longer than {node.timeout_s} s", True)  # noqa: FBT003 - pickled
        return StepTimeoutError(node.name, f"an attempt took longer than {node.attempt_timeout_s} s")
