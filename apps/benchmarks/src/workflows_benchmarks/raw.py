"""The bare database: how many commits it makes, with nothing of ours in between.

A client is one workflow at a time, and a step is one commit: the least that a durable workflow can cost without group commit. Two kinds of
commit are measured: one that only inserts a row, and one that inserts a row and updates another, as a workflow does that also keeps where it
stands.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import StrEnum
from typing import Final

__all__ = ["PAYLOAD", "RawCommit", "RawDatabase"]

PAYLOAD: Final = b"x" * 200
"""What a row carries."""


class RawCommit(StrEnum):
    """What is written in one commit."""

    INSERT = "insert"
    """One row."""

    ADVANCE = "insert_and_update"
    """One row, and a change to the row of the workflow."""


class RawDatabase(ABC):
    """A database, through its driver alone."""

    @abstractmethod
    async def commits_per_s(self, commit: RawCommit, *, clients: int, seconds: float) -> float:
        """Commits per second of so many clients, each of which makes one after the other."""

    @abstractmethod
    async def commit_times_ms(self, commit: RawCommit, *, times: int) -> list[float]:
        """Milliseconds of each of so many commits, made one after the other by one client."""

    @abstractmethod
    async def round_trips_per_s(self, *, seconds: float) -> float:
        """Statements per second that read nothing and write nothing, sent one after the other by one client."""

    async def rest(self) -> None:
        """Give back connections, until the next measurement."""
