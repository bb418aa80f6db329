"""The suite for every `WorkflowQueries`."""

from __future__ import annotations

from workflows_testing.conformance.contract import StoreContract

__all__ = ["WorkflowQueriesConformance"]


class WorkflowQueriesConformance(StoreContract):
    """All rules of the queries."""
