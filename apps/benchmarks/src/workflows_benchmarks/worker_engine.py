"""The engine of a worker process: ``workflows worker --engine workflows_benchmarks.worker_engine:make_engine``."""

from __future__ import annotations

import os
from typing import Final

from workflows_benchmarks.workloads import interrupted, linear, stamped, waiting
from workflows_core import EngineSettings, WorkflowRegistry
from workflows_sqlalchemy import PersistentExecutionEngine

__all__ = ["DATABASE_VARIABLE", "LEASE_VARIABLE", "make_engine", "make_registry"]

DATABASE_VARIABLE: Final = "WORKFLOWS_BENCH_DATABASE"
LEASE_VARIABLE: Final = "WORKFLOWS_BENCH_LEASE_S"


def make_registry() -> WorkflowRegistry:
    """The code of the measured workflows."""
    registry = WorkflowRegistry()
    for definition in (linear(), stamped(), waiting(), interrupted()):
        registry.register_definition(definition)
    return registry


def make_engine() -> PersistentExecutionEngine:
    """An engine over the database that the environment names, with its lease if it names one, and with the code of the measured workflows."""
    settings = EngineSettings(lease_s=float(os.environ.get(LEASE_VARIABLE, EngineSettings().lease_s)))
    return PersistentExecutionEngine(make_registry(), os.environ[DATABASE_VARIABLE], settings=settings)
