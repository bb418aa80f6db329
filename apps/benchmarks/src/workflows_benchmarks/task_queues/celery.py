"""Celery, with one child process: ``celery -A workflows_benchmarks.task_queues.celery worker``."""

from __future__ import annotations

import asyncio
import os
from typing import Final

import redis
from celery import Celery as App

from workflows_benchmarks.task_queues.chains import CHAIN_DONE, REDIS_VARIABLE, SLOTS, TaskQueue
from workflows_benchmarks.worker_engine import DATABASE_VARIABLE, make_registry
from workflows_celery import CeleryExecutionEngine, CeleryWorkerHost
from workflows_core import WorkflowEngine
from workflows_sqlalchemy import create_store

__all__ = ["Celery", "bare", "hosting"]

_WORKER: Final = (
    "worker",
    "--pool=prefork",
    "--concurrency=1",
    "--loglevel=WARNING",
    "--without-gossip",
    "--without-mingle",
)


def _app(queue: str, url: str) -> App:
    app = App("bench", broker=url, set_as_current=False)
    app.conf.update(
        task_ignore_result=True,
        task_default_queue=queue,
        worker_prefetch_multiplier=16,
        broker_connection_retry_on_startup=True,
    )
    return app


def _link(app: App) -> None:
    """Register the empty job."""
    server = redis.Redis.from_url(os.environ.get(REDIS_VARIABLE, "redis://"))

    @app.task(name="link")  # type: ignore[untyped-decorator]
    def link(left: int) -> None:
        if left > 1:
            link.delay(left - 1)
        else:
            server.incr(CHAIN_DONE)


def make_engine() -> CeleryExecutionEngine:
    """The engine of a worker."""
    return CeleryExecutionEngine(hosting, create_store(os.environ[DATABASE_VARIABLE]), make_registry())


bare = _app("celery-chains", os.environ.get(REDIS_VARIABLE, "redis://"))
_link(bare)
hosting = _app("celery-workflows", os.environ.get(REDIS_VARIABLE, "redis://"))
CeleryWorkerHost(hosting, make_engine, concurrency=SLOTS)


class Celery(TaskQueue):
    """Celery, with one child process."""

    bare = ("celery", "-A", f"{__name__}:bare", *_WORKER)
    hosting = ("celery", "-A", f"{__name__}:hosting", *_WORKER)

    def __init__(self, redis_url: str) -> None:
        super().__init__(redis_url)
        self._chains = _app("celery-chains", redis_url)
        self._workflows = _app("celery-workflows", redis_url)

    def engine(self, database_url: str) -> WorkflowEngine:
        return CeleryExecutionEngine(self._workflows, create_store(database_url), make_registry())

    async def start_chain(self) -> None:
        await asyncio.to_thread(self._chains.send_task, "link", (5,), ignore_result=True)

    async def close(self) -> None:
        self._chains.close()
        self._workflows.close()
        await super().close()
