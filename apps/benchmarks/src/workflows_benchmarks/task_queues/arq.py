"""ARQ: ``arq workflows_benchmarks.task_queues.arq.Bare`` and ``….Hosting``."""

from __future__ import annotations

import os
from typing import Any, Final

from arq.connections import ArqRedis, RedisSettings
from arq.worker import func
from redis.asyncio import ConnectionPool

from workflows_arq import ARQExecutionEngine, ARQWorkerHost
from workflows_benchmarks.task_queues.chains import CHAIN_DONE, REDIS_VARIABLE, SLOTS, TaskQueue
from workflows_benchmarks.worker_engine import DATABASE_VARIABLE, make_registry
from workflows_core import WorkflowEngine
from workflows_sqlalchemy import create_store

__all__ = ["ARQ", "Bare", "Hosting"]

_URL: Final = os.environ.get(REDIS_VARIABLE, "redis://localhost")
_CHAINS: Final = "arq-chains"
_WORKFLOWS: Final = "arq-workflows"


def _pool(url: str, queue: str) -> ArqRedis:
    return ArqRedis(ConnectionPool.from_url(url), default_queue_name=queue)


async def link(context: dict[str, Any], left: int) -> None:
    """Do nothing, and have the rest of the chain follow."""
    if left > 1:
        await context["redis"].enqueue_job("link", left - 1)
    else:
        await context["redis"].incr(CHAIN_DONE)


def make_engine() -> ARQExecutionEngine:
    """The engine of a worker."""
    return ARQExecutionEngine(_pool(_URL, _WORKFLOWS), create_store(os.environ[DATABASE_VARIABLE]), make_registry())


_link: Any = link
Bare = {
    "functions": [func(_link, name="link", keep_result=0)],
    "redis_settings": RedisSettings.from_dsn(_URL),
    "queue_name": _CHAINS,
    "max_jobs": SLOTS,
    "poll_delay": 0.01,
    "log_results": False,
}
Hosting = ARQWorkerHost(make_engine, concurrency=SLOTS).settings(
    redis_settings=RedisSettings.from_dsn(_URL), queue_name=_WORKFLOWS
)


class ARQ(TaskQueue):
    """ARQ, which looks for jobs every 10 ms."""

    bare = ("arq", f"{__name__}.Bare")
    hosting = ("arq", f"{__name__}.Hosting")

    def __init__(self, redis_url: str) -> None:
        super().__init__(redis_url)
        self._chains = _pool(redis_url, _CHAINS)
        self._workflows = _pool(redis_url, _WORKFLOWS)

    def engine(self, database_url: str) -> WorkflowEngine:
        return ARQExecutionEngine(self._workflows, create_store(database_url), make_registry())

    async def start_chain(self) -> None:
        await self._chains.enqueue_job("link", 5)

    async def close(self) -> None:
        for pool in (self._chains, self._workflows):
            await pool.connection_pool.disconnect()  # which `aclose` leaves alone, because it was made here
        await super().close()
