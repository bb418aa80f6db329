"""dishka providers for the engine and its ports, and dependencies for steps."""

from __future__ import annotations

from workflows_dishka.injector import DishkaInjector
from workflows_dishka.provider import WorkflowsProvider

__all__ = ["DishkaInjector", "WorkflowsProvider"]
