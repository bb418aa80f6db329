"""dishka providers for the engine and its ports."""

from __future__ import annotations

from workflows_dishka.provider import WorkflowsProvider

__all__ = ["WorkflowsProvider"]
