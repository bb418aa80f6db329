"""Celery's worker: ``celery -A workflows_reference.worker_celery worker``."""

from __future__ import annotations

from functools import partial

from workflows_celery import CeleryWorkerHost
from workflows_reference.executors.celery import make_app
from workflows_reference.ioc import open_engine
from workflows_reference.settings import load_settings

__all__ = ["app"]


_environment = load_settings()
app = make_app(_environment)
CeleryWorkerHost(app, partial(open_engine, _environment), concurrency=_environment.concurrency)
