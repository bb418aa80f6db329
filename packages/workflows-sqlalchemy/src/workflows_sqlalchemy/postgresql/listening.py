"""Listening on a connection of PostgreSQL, through either driver; a connection that is silent is put to the proof."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Final

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["NOTIFY", "PROOF", "PROOF_EVERY_S", "PROOF_WITHIN_S", "listen"]

NOTIFY: Final[TextClause] = text("SELECT pg_notify(:channel, :payload)")
PROOF: Final = "?"
"""What the payload of a proof begins with; a hint never does."""
PROOF_EVERY_S: Final = 5.0
PROOF_WITHIN_S: Final = 2.0


async def listen(
    connection: AsyncConnection, channel: str, *, heard: Callable[[str], None], proven: Callable[[], None]
) -> None:
    """Listen until the connection is lost.

    Every few seconds it sends itself a notification: as long as those come back, others arrive too.

    Args:
        connection: The connection; it is used for nothing else and not again afterwards.
        channel: A name that needs no quotes.
        heard: Told the payload of each notification but the proofs.
        proven: Told of each proof that came back.

    Raises:
        TimeoutError: A proof did not come back.
    """
    raw = await connection.get_raw_connection()
    driver: Any = raw.driver_connection
    proof = _Proof(connection, channel, heard, proven)
    if hasattr(driver, "add_listener"):
        await _through_asyncpg(driver, channel, proof)
    else:
        await _through_psycopg(driver, channel, proof)


class _Proof:
    """Sorts proofs from hints, and asks for proofs."""

    def __init__(
        self,
        connection: AsyncConnection,
        channel: str,
        heard: Callable[[str], None],
        proven: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._channel = channel
        self._heard = heard
        self._proven = proven
        self._wanted = ""
        self.arrived = asyncio.Event()

    def take(self, payload: str) -> None:
        """A notification has arrived."""
        if not payload.startswith(PROOF):
            self._heard(payload)
        elif payload == self._wanted:
            self.arrived.set()
            self._proven()

    async def ask(self) -> None:
        """Send a notification to ourselves."""
        self.arrived.clear()
        self._wanted = f"{PROOF}{secrets.token_hex(8)}"
        async with asyncio.timeout(PROOF_WITHIN_S):
            await self._connection.execute(NOTIFY, {"channel": self._channel, "payload": self._wanted})


async def _through_asyncpg(driver: Any, channel: str, proof: _Proof) -> None:
    lost = asyncio.Event()
    driver.add_termination_listener(lambda *_: lost.set())
    async with asyncio.timeout(PROOF_WITHIN_S):
        await driver.add_listener(channel, lambda _driver, _pid, _channel, payload: proof.take(payload))
    while not lost.is_set():
        await proof.ask()
        async with asyncio.timeout(PROOF_WITHIN_S):
            await proof.arrived.wait()
        await _at_most(lost.wait(), PROOF_EVERY_S)


async def _through_psycopg(driver: Any, channel: str, proof: _Proof) -> None:
    async with asyncio.timeout(PROOF_WITHIN_S):
        await driver.execute(f"LISTEN {channel}")
    while True:
        await proof.ask()
        async for notification in driver.notifies(timeout=PROOF_WITHIN_S, stop_after=1):
            proof.take(notification.payload)
        # Nothing else can be done with the connection while it listens: so it listens in turns.
        async for notification in driver.notifies(timeout=PROOF_EVERY_S):
            proof.take(notification.payload)
        if not proof.arrived.is_set():
            raise TimeoutError


async def _at_most(waiting: Awaitable[Any], seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await waiting
    except TimeoutError:
        return
