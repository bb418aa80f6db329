"""SAQ: ``saq workflows_benchmarks.task_queues.saq.bare`` and ``….hosting``."""

from __future__ import annotations

import os
from typing import Any, Final

from saq import Queue

from workflows_benchmarks.task_queues.chains import CHAIN_DONE, REDIS_VARIABLE, SLOTS, TaskQueue
from workflows_benchmarks.worker_engine import DATABASE_VARIABLE, make_registry
from workflows_core import WorkflowEngine
from workflows_saq import SAQExecutionEngine, SAQWorkerHost
from workflows_sqlalchemy import create_store

__all__ = ["SAQ", "bare", "hosting"]

_CHAINS: Final = "saq-chains"
_WORKFLOWS: Final = "saq-workflows"


def _queue(name: str) -> Queue:
    return Queue.from_url(os.environ.get(REDIS_VARIABLE, "redis://"), name=name)


chains, workflows = _queue(_CHAINS), _queue(_WORKFLOWS)


async def link(_context: Any, *, left: int) -> None:
    """Do nothing, and have the rest of the chain follow."""
    if left > 1:
        await chains.enqueue("link", left=left - 1, ttl=-1)
    else:
        await chains.redis.incr(CHAIN_DONE)  # type: ignore[attr-defined]


def make_engine() -> SAQExecutionEngine:
    """The engine of a worker."""
    return SAQExecutionEngine(workflows, create_store(os.environ[DATABASE_VARIABLE]), make_registry())


bare = {"queue": chains, "functions": [("link", link)], "concurrency": SLOTS}
hosting = SAQWorkerHost(make_engine, concurrency=SLOTS).settings(workflows)


class SAQ(TaskQueue):
    """SAQ."""

    bare = ("saq", f"{__name__}.bare")
    hosting = ("saq", f"{__name__}.hosting")

    def __init__(self, redis_url: str) -> None:
        super().__init__(redis_url)
        self._chains = Queue.from_url(redis_url, name=_CHAINS)
        self._workflows = Queue.from_url(redis_url, name=_WORKFLOWS)

    def engine(self, database_url: str) -> WorkflowEngine:
        return SAQExecutionEngine(self._workflows, create_store(database_url), make_registry())

    async def start_chain(self) -> None:
        await self._chains.enqueue("link", left=5, ttl=-1)

    async def close(self) -> None:
        await self._chains.disconnect()
        await self._workflows.disconnect()
        await super().close()
