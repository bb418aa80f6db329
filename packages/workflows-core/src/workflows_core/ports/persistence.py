"""Port: the two sides of one database."""

from __future__ import annotations

from typing import Protocol

from workflows_core.ports.queries import WorkflowQueries
from workflows_core.ports.store import WorkflowStore

__all__ = ["Persistence"]


class Persistence(Protocol):
    """Where instances live; `workflows_sqlalchemy.create_store` makes one."""

    @property
    def store(self) -> WorkflowStore:
        """What changes."""

    @property
    def queries(self) -> WorkflowQueries:
        """What is listed and looked up."""
