"""What a task queue is measured by without us: chains of empty jobs, counted at their end."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from typing import Final

from redis.asyncio import Redis

from workflows_core import WorkflowEngine

__all__ = ["CHAIN_DONE", "REDIS_VARIABLE", "SLOTS", "SLOTS_VARIABLE", "TaskQueue"]

REDIS_VARIABLE: Final = "WORKFLOWS_BENCH_REDIS"
CHAIN_DONE: Final = "workflows-bench-chains"
"""Counts the chains that have come to their end."""
SLOTS_VARIABLE: Final = "WORKFLOWS_BENCH_SLOTS"
SLOTS: Final = int(os.environ.get(SLOTS_VARIABLE, "64"))
"""Jobs or steps that a worker process has under way at once."""


class TaskQueue(ABC):
    """A task queue, as the benchmark's own process uses it.

    Args:
        redis_url: The server.
    """

    bare: tuple[str, ...]
    """Module and arguments of a worker process that runs chains."""
    hosting: tuple[str, ...]
    """The same for one that runs workflows."""

    def __init__(self, redis_url: str) -> None:
        self.redis: Redis = Redis.from_url(redis_url)

    @abstractmethod
    def engine(self, database_url: str) -> WorkflowEngine:
        """An engine that starts workflows."""

    @abstractmethod
    async def start_chain(self) -> None:
        """Enqueue the first of five empty jobs, each of which has the next one follow."""

    async def done(self) -> int:
        """How many chains have come to their end."""
        return int(await self.redis.get(CHAIN_DONE) or 0)

    async def close(self) -> None:
        """Give back connections."""
        await self.redis.aclose()
