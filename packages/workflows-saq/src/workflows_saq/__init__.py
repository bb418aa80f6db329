"""Workflows on SAQ: hints go through its queue, and its workers run the steps."""

from __future__ import annotations

from workflows_saq.engine import SAQExecutionEngine
from workflows_saq.executor import SAQStepExecutor
from workflows_saq.worker import SAQWorkerHost

__all__ = ["SAQExecutionEngine", "SAQStepExecutor", "SAQWorkerHost"]
