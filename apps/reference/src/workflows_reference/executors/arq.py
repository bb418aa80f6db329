"""Through ARQ: `workflows_reference.worker_arq` is the other end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from arq.connections import ArqRedis
from dishka import Provider, Scope, provide
from redis.asyncio import ConnectionPool

from workflows_arq import ARQStepExecutor
from workflows_core.ports.executor import StepExecutor
from workflows_reference.settings import Settings

__all__ = ["QUEUE", "ExecutorProvider"]

QUEUE: Final = "arq:workflows"
"""Name of the queue. It is the key in Redis as it stands, and Celery has such a key for each of its queues too."""


class ExecutorProvider(Provider):
    """ARQ's pool, and hints through it."""

    scope = Scope.APP

    @provide
    async def pool(self, settings: Settings) -> AsyncIterator[ArqRedis]:
        """Connects when the first hint is sent, whereas ``arq.create_pool`` wants Redis to be there at once."""
        connections = ConnectionPool.from_url(settings.redis_url)
        pool = ArqRedis(connections, default_queue_name=QUEUE)
        yield pool
        await pool.aclose()
        await connections.disconnect()

    @provide(override=True)
    def executor(self, pool: ArqRedis) -> StepExecutor:
        """Sends hints as jobs."""
        return ARQStepExecutor(pool)
