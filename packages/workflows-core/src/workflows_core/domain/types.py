"""The closed vocabularies of the product: what a step is and what state things are in."""

from __future__ import annotations

from enum import StrEnum, auto

__all__ = ["Outcome", "Parking", "Phase", "StepStatus", "StepType", "TaskStatus", "WorkflowStatus"]


class StepType(StrEnum):
    """Classification of steps, as shown in the API and in diagrams."""

    MACHINE = auto()
    """Runs code."""
    HUMAN = auto()
    """Waits for a person."""
    WEBHOOK = auto()
    """Waits for a call from outside."""
    SIGNAL = auto()
    """Waits for a named signal."""
    TIMER = auto()
    """Waits for time to pass."""
    GATEWAY = auto()
    """Chooses or splits the way."""
    GROUP = auto()
    """Holds steps of its own."""


class StepStatus(StrEnum):
    """Status of one step execution."""

    PENDING = auto()
    """Arrived, waiting for other branches to join."""
    SCHEDULED = auto()
    """Ready to be claimed by a worker."""
    RUNNING = auto()
    """Claimed by a worker."""
    WAITING = auto()
    """Waiting for a person, for time, for a call or for inner steps."""
    SUCCEEDED = auto()
    FAILED = auto()
    CANCELED = auto()
    SKIPPED = auto()
    """Its guard said no."""

    @property
    def is_final(self) -> bool:
        """Whether the execution is over."""
        return self in _FINAL_STEP


class WorkflowStatus(StrEnum):
    """Status of an instance; derived by the kernel, never set by hand."""

    PENDING = auto()
    """Start was requested and is not due yet."""
    RUNNING = auto()
    """Some step can run now."""
    WAITING = auto()
    """Every active step waits for a person, for time, or for a call."""
    PAUSED = auto()
    COMPLETED = auto()
    FAILED = auto()
    CANCELED = auto()

    @property
    def is_final(self) -> bool:
        """Whether the instance is over."""
        return self in _FINAL_WORKFLOW


class Phase(StrEnum):
    """What an instance is about, beside its status."""

    NORMAL = auto()
    """It does its work, or is over."""
    CANCELING = auto()
    """It will end; steps whose effects may have to be undone are still under way."""
    COMPENSATING = auto()
    """It undoes what was done, last things first."""


class Parking(StrEnum):
    """Why an instance goes no further until an operator decides."""

    DEAD_LETTER = auto()
    """It has failed: retry it, or discard it."""
    COMPENSATION = auto()
    """A compensation has failed: retry it, or discard it and go on with the next."""


class TaskStatus(StrEnum):
    """Status of a human task."""

    PENDING = auto()
    """Open: somebody may act on it."""
    COMPLETED = auto()
    CANCELED = auto()
    """Its step is no longer active."""


class Outcome(StrEnum):
    """How a step execution ended, as far as its outgoing edges care."""

    SUCCESS = auto()
    FAILURE = auto()
    TIMEOUT = auto()
    SKIPPED = auto()


_FINAL_STEP = frozenset({StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.CANCELED, StepStatus.SKIPPED})
_FINAL_WORKFLOW = frozenset({WorkflowStatus.COMPLETED, WorkflowStatus.FAILED, WorkflowStatus.CANCELED})
