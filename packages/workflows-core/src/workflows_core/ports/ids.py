"""Port: new identities."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol
from uuid import UUID

__all__ = ["IdGenerator"]


class IdGenerator(Protocol):
    """Makes identities of instances and transitions."""

    @abstractmethod
    def new(self) -> UUID:
        """An identity that was never given before, ascending in time (version 7), so that indexes stay dense."""
