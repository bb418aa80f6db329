"""Hints over PostgreSQL: a process that has committed work wakes the workers of all others with NOTIFY."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import secrets
from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from workflows_core.adapters.subscriptions import Subscriptions
from workflows_core.ports.executor import StepExecutor, WorkRef
from workflows_core.ports.wake_ups import WakeUps
from workflows_sqlalchemy.errors import DATABASE_ERRORS
from workflows_sqlalchemy.postgresql.listening import NOTIFY, PROOF_EVERY_S, PROOF_WITHIN_S, listen
from workflows_sqlalchemy.postgresql.own_connections import with_own_connections

__all__ = ["PostgreSQLNotifier"]

logger = logging.getLogger(__name__)

_CHANNEL: Final = "workflows_work"
_APART_S: Final = 0.01
_SEND_WITHIN_S: Final = 5.0
_MOST_BYTES: Final = 7_900  # PostgreSQL takes payloads below 8000
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0


class PostgreSQLNotifier(StepExecutor, WakeUps):
    """Sends NOTIFY after commits, at most one in 10 ms, with the names of queues only; and LISTENs for those of others.

    Both go over connections of their own. A worker of the same process is woken at once, without the server. It belongs to the event
    loop in which it is first used. Made by `SQLAlchemyWorkflowStore.notifier`; `close` it before the store.
    """

    def __init__(self, engine: AsyncEngine, *, listens: bool = True) -> None:
        """Connect to nothing yet.

        Args:
            engine: Connects as the store does.
            listens: Whether LISTEN works over these connections. Through PgBouncer in transaction mode it does not: such a process
                still wakes others, and its own workers look for themselves more often.
        """
        self._engine = with_own_connections(engine)
        self._listens = listens
        self._subscriptions = Subscriptions()
        self._sender = secrets.token_hex(8)
        self._queues: set[str] = set()
        self._sent_at = 0.0
        self._proven_until = 0.0
        self._sending: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None
        self._is_closed = False

    async def publish(self, items: Sequence[WorkRef], *, queue: str, priority: int = 0) -> None:  # noqa: ARG002
        if not items or self._is_closed:
            return
        self._subscriptions.wake((queue,))
        self._queues.add(queue)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.get_running_loop().create_task(self._send())

    def subscribe(self, wake: Callable[[], None], *, queues: frozenset[str] | None = None) -> Callable[[], None]:
        end = self._subscriptions.add(wake, queues)
        if self._listens and not self._is_closed and (self._listening is None or self._listening.done()):
            self._listening = asyncio.get_running_loop().create_task(self._listen())

        def leave() -> None:
            end()
            if not self._subscriptions and self._listening is not None:
                self._listening.cancel()
                self._proven_until = 0.0

        return leave

    @property
    def is_proven(self) -> bool:
        return asyncio.get_running_loop().time() < self._proven_until

    async def close(self) -> None:
        self._is_closed = True
        self._subscriptions.clear()
        under_way = [task for task in (self._listening, self._sending) if task is not None]
        if self._listening is not None:
            self._listening.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        await self._engine.dispose()

    async def _send(self) -> None:
        """Send what has gathered, and what gathers meanwhile."""
        loop = asyncio.get_running_loop()
        while self._queues:
            await asyncio.sleep(self._sent_at + _APART_S - loop.time())
            queues, self._queues = self._queues, set()
            self._sent_at = loop.time()
            try:
                async with asyncio.timeout(_SEND_WITHIN_S), self._engine.connect() as connection:
                    await connection.execute(NOTIFY, {"channel": _CHANNEL, "payload": self._payload(queues)})
            except DATABASE_ERRORS as error:
                logger.debug("hint lost; workers will find the work by themselves: %s", error)

    def _payload(self, queues: set[str]) -> str:
        payload = json.dumps([self._sender, sorted(queues)])
        return payload if len(payload) <= _MOST_BYTES else json.dumps([self._sender, None])

    async def _listen(self) -> None:
        """Listen for as long as somebody has subscribed, and connect again whenever the connection is lost."""
        pause_s = _FIRST_PAUSE_S
        while True:
            was_proven = self._proven_until
            try:
                async with self._engine.connect() as connection:
                    try:
                        await listen(connection, _CHANNEL, heard=self._heard, proven=self._proven)
                    finally:
                        await connection.invalidate()
                reason: object = "the connection is closed"
            except DATABASE_ERRORS as error:
                reason = error
            except Exception as error:  # noqa: BLE001 - of the driver itself, below SQLAlchemy
                reason = error
            if self._proven_until != was_proven:
                logger.warning("hints are not heard at present; looking for work more often: %s", reason)
                pause_s = _FIRST_PAUSE_S
            self._proven_until = 0.0
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - not a secret
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    def _proven(self) -> None:
        is_first = self._proven_until == 0.0
        self._proven_until = asyncio.get_running_loop().time() + PROOF_EVERY_S + PROOF_WITHIN_S
        if is_first:
            self._subscriptions.wake(None)  # for what may have been missed

    def _heard(self, payload: str) -> None:
        try:
            sender, queues = json.loads(payload)
            if sender != self._sender:
                self._subscriptions.wake(queues)
        except (ValueError, TypeError):
            self._subscriptions.wake(None)  # not from us: as good as a hint without queues
