"""The suite for every `WorkflowStore`."""

from __future__ import annotations

from workflows_testing.conformance.store_starts import StartRules

__all__ = ["WorkflowStoreConformance"]


class WorkflowStoreConformance(StartRules):
    """All rules of the store."""
