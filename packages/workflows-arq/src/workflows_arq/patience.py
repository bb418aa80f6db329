"""How ARQ's worker outlasts an outage of Redis, at which it would end by itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, Self

from arq.connections import ArqRedis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError, ReadOnlyError, TimeoutError as RedisTimeoutError

__all__ = ["Patience"]

logger = logging.getLogger(__name__)

_OUTAGES: Final[tuple[Any, ...]] = (RedisConnectionError, RedisTimeoutError, ReadOnlyError, OSError)
_AGAIN_S: Final = 0.5


class Patience(Retry):
    """Tries again for as long as the process has steps to run.

    ARQ's worker ends by the first error of Redis, and then does not tell those who have something under way: the steps would be cut off.
    With this each of its commands waits until Redis is back, and so does what it does at its end; steps go on meanwhile.
    """

    def __init__(self, is_over: Callable[[], bool]) -> None:
        """Begin to be patient.

        Args:
            is_over: Whether nothing is left that an error of Redis could cut off.
        """
        super().__init__(NoBackoff(), 0, _OUTAGES)
        self._is_over = is_over

    def __deepcopy__(self, _memo: Any) -> Self:
        """Connections copy what they are given; this one stays with its host."""
        return self

    async def give(self, client: ArqRedis) -> None:
        """Let the commands of a client wait, except in a transaction that watches keys: then ARQ's worker ends when Redis is back."""
        connections: Any = client.connection_pool
        connections.connection_kwargs.update(retry=self, retry_on_error=list(_OUTAGES))
        await connections.disconnect(inuse_connections=False)
        connections.reset()  # the connections that are there have been made without it

    async def call_with_retry(self, do: Callable[[], Awaitable[Any]], *others: Any, **options: Any) -> Any:
        """Do it, again and again."""
        is_told = False
        while True:
            try:
                return await super().call_with_retry(do, *others, **options)
            except _OUTAGES as error:
                if self._is_over():
                    raise
                if not is_told:
                    logger.warning("ARQ's worker waits for Redis; steps go on: %r", error)
                is_told = True
            await asyncio.sleep(_AGAIN_S)
