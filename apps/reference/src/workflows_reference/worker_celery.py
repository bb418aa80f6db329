"""Celery's worker: ``celery -A workflows_reference.worker_celery worker``."""

from __future__ import annotations

from workflows_celery import CeleryWorkerHost
from workflows_reference.executors.celery import make_app
from workflows_reference.settings import load_settings
from workflows_reference.worker_host import ContainerHost

__all__ = ["app"]


class _Host(ContainerHost, CeleryWorkerHost):
    """A worker of Celery with the demo's container."""


_environment = load_settings()
app = make_app(_environment)
_Host(_environment, app)
