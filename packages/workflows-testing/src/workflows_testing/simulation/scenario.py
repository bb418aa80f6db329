"""What is simulated: workflows, and what the outside does with them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from workflows_core import EngineSettings, WorkflowInstance
from workflows_testing.simulation.client import Client
from workflows_testing.simulation.effects import Effects
from workflows_testing.simulation.simulation import AnyWorkflow

__all__ = ["Scenario"]

Workflows: TypeAlias = Callable[[Effects], Sequence[AnyWorkflow]]


def _data(instance: WorkflowInstance) -> Any:
    """The data, whatever the order in which keys were written."""
    return dict(sorted(instance.data.items()))


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A story about workflows that must come to the same end whatever happens on the way.

    Attributes:
        name: For people.
        workflows: Makes the workflows anew for each run, around what their steps do to the world outside.
        drive: Plays the outside, by the methods of a `Client` alone, until everything that it started is over. It is begun anew
            when its process is killed.
        settings: Of the engines; None has short leases.
        result: What of an instance must be the same at the end, beside its status and its executions; its data unless given. Leave out
            what may differ, such as times and ids.
        compares_executions: Whether the same steps must have run equally often; false for races.
        limit_s: Virtual seconds after which it is given up.
        max_turns: Turns of the event loop after which it is given up.
    """

    name: str
    workflows: Workflows
    drive: Callable[[Client], Awaitable[Any]]
    settings: EngineSettings | None = None
    result: Callable[[WorkflowInstance], Any] = _data
    compares_executions: bool = True
    limit_s: float = 600.0
    max_turns: int = 300_000

    def __str__(self) -> str:
        return self.name
