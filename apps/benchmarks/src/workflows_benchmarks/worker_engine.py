"""The engine of a worker process: ``workflows worker --engine workflows_benchmarks.worker_engine:make_engine``."""

from __future__ import annotations

import os
from typing import Final

from workflows_benchmarks.workloads import linear, stamped, waiting
from workflows_core import WorkflowRegistry
from workflows_sqlalchemy import PersistentExecutionEngine

__all__ = ["DATABASE_VARIABLE", "make_engine", "make_registry"]

DATABASE_VARIABLE: Final = "WORKFLOWS_BENCH_DATABASE"


def make_registry() -> WorkflowRegistry:
    """The code of the measured workflows."""
    registry = WorkflowRegistry()
    for definition in (linear(), stamped(), waiting()):
        registry.register_definition(definition)
    return registry


def make_engine() -> PersistentExecutionEngine:
    """An engine over the database that the environment names, with the code of the measured workflows."""
    return PersistentExecutionEngine(make_registry(), os.environ[DATABASE_VARIABLE])
