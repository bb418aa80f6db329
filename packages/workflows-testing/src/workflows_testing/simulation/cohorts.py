"""What belongs together in a simulation: everything that one simulated process has under way."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from enum import Enum, auto
from typing import Any, Final

__all__ = ["CURRENT_COHORT", "Cohort", "Condition"]


class Condition(Enum):
    """How a cohort is."""

    RUNNING = auto()
    FROZEN = auto()
    """Nothing of it runs; what becomes ready waits."""
    DEAD = auto()
    """Nothing of it runs until it is buried."""


class Cohort:
    """The tasks and callbacks of one simulated process. They inherit it through their context, whoever made them.

    Attributes:
        name: For people.
        condition: How it is.
        held_back: What became ready while it was frozen or dead.
        tasks: Its tasks that have not finished, in the order in which they were made.
    """

    __slots__ = ("condition", "held_back", "name", "tasks")

    def __init__(self, name: str) -> None:
        self.name = name
        self.condition = Condition.RUNNING
        self.held_back: list[asyncio.Handle] = []
        self.tasks: dict[asyncio.Task[Any], None] = {}


CURRENT_COHORT: Final[ContextVar[Cohort | None]] = ContextVar("workflows_testing_cohort", default=None)
"""The cohort of the code that runs; None outside of all simulated processes."""
