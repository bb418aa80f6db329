"""Workflows on ARQ: hints go through its queue, and its workers run the steps."""

from __future__ import annotations

from workflows_arq.engine import ARQExecutionEngine
from workflows_arq.executor import ARQStepExecutor
from workflows_arq.worker import ARQWorkerHost

__all__ = ["ARQExecutionEngine", "ARQStepExecutor", "ARQWorkerHost"]
