"""ARQ's worker: ``arq workflows_reference.worker_arq.WorkerSettings``."""

from __future__ import annotations

from functools import partial

from arq.connections import RedisSettings

from workflows_arq import ARQWorkerHost
from workflows_reference.executors.arq import QUEUE
from workflows_reference.ioc import open_engine
from workflows_reference.settings import load_settings

__all__ = ["WorkerSettings"]


_environment = load_settings()
_host = ARQWorkerHost(partial(open_engine, _environment), concurrency=_environment.concurrency)
WorkerSettings = _host.settings(redis_settings=RedisSettings.from_dsn(_environment.redis_url), queue_name=QUEUE)
