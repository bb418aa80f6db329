"""Workflows on Celery: hints go through its broker, and its workers run the steps."""

from __future__ import annotations

from workflows_celery.engine import CeleryExecutionEngine
from workflows_celery.executor import CeleryStepExecutor
from workflows_celery.worker import CeleryWorkerHost

__all__ = ["CeleryExecutionEngine", "CeleryStepExecutor", "CeleryWorkerHost"]
