"""ARQ's worker: ``arq workflows_reference.worker_arq.WorkerSettings``."""

from __future__ import annotations

from arq.connections import RedisSettings

from workflows_arq import ARQWorkerHost
from workflows_reference.executors.arq import QUEUE
from workflows_reference.settings import load_settings
from workflows_reference.worker_host import ContainerHost

__all__ = ["WorkerSettings"]


class _Host(ContainerHost, ARQWorkerHost):
    """A worker of ARQ with the demo's container."""


_environment = load_settings()
WorkerSettings = _Host(_environment).settings(
    redis_settings=RedisSettings.from_dsn(_environment.redis_url), queue_name=QUEUE
)
