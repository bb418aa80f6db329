"""What a deployment is: an executor with its worker processes, its store and its broker, as the rules of executors see it.

`ExecutorDeploymentConformance` tests behaviour, with real processes. An adapter says how they are made: it implements `Deployment`, and a
module of its own, loaded by its workers, gives them what `make_engine` makes. The workflows that they run, `WORKFLOWS`, are part of the kit.
"""

from __future__ import annotations

from workflows_testing.deployments.deployment import Broker, Connected, Deployment, WorkerProcess
from workflows_testing.deployments.effects import EFFECTS_VARIABLE, Effect, Effects
from workflows_testing.deployments.options import OPTIONS_VARIABLE, Mishap, WorkerOptions
from workflows_testing.deployments.workload import WORKFLOWS, make_engine, make_registry

__all__ = [
    "EFFECTS_VARIABLE",
    "OPTIONS_VARIABLE",
    "WORKFLOWS",
    "Broker",
    "Connected",
    "Deployment",
    "Effect",
    "Effects",
    "Mishap",
    "WorkerOptions",
    "WorkerProcess",
    "make_engine",
    "make_registry",
]
