"""The conformance suite of executors at work: with worker processes, a store and, where there is one, a broker."""

from __future__ import annotations

from workflows_testing.conformance.deployment_deliveries import DeploymentDeliveries
from workflows_testing.conformance.deployment_limits import DeploymentLimits
from workflows_testing.conformance.deployment_mishaps import DeploymentMishaps
from workflows_testing.conformance.deployment_workers import DeploymentWorkers

__all__ = ["ExecutorDeploymentConformance"]


class ExecutorDeploymentConformance(DeploymentDeliveries, DeploymentWorkers, DeploymentLimits, DeploymentMishaps):
    """The suite; override the fixture ``deployment``, and set ``flood`` to what the store takes."""
