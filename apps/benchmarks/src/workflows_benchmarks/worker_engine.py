"""The engine of a worker process: ``workflows worker --engine workflows_benchmarks.worker_engine:make_engine``."""

from __future__ import annotations

import os
from typing import Final

from workflows_benchmarks.workloads import linear, stamped
from workflows_core import WorkflowRegistry
from workflows_sqlalchemy import PersistentExecutionEngine

__all__ = ["DATABASE_VARIABLE", "make_engine"]

DATABASE_VARIABLE: Final = "WORKFLOWS_BENCH_DATABASE"


def make_engine() -> PersistentExecutionEngine:
    """An engine over the database that the environment names, with the code of the measured workflows."""
    registry = WorkflowRegistry()
    registry.register_definition(linear())
    registry.register_definition(stamped())
    return PersistentExecutionEngine(registry, os.environ[DATABASE_VARIABLE])
