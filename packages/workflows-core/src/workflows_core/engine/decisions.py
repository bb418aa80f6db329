"""Commands with what the kernel decides about them: of a worker about its step, and of somebody from outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from workflows_core.domain.commands import Command
from workflows_core.domain.kernel import decide
from workflows_core.domain.state import InstanceState
from workflows_core.domain.transition import Transition, WorkItem, WorkKind
from workflows_core.domain.types import WorkflowStatus
from workflows_core.engine.folds import Decision
from workflows_core.engine.holding import Holding
from workflows_core.engine.limits import check_size
from workflows_core.engine.programs import LoadedProgram
from workflows_core.ports.store import Held

__all__ = ["RequestDecision", "StepDecision", "following_of"]

_WAITS: Final = frozenset({WorkKind.TIMER, WorkKind.AWAIT})


class StepDecision(Decision):
    """What follows from the result of a step.

    Attributes:
        command: The result.
        following: The work item with which the worker goes on; None for none.
    """

    held: Held

    def __init__(
        self,
        loaded: LoadedProgram,
        command: Command,
        *,
        number: int,
        seen: InstanceState,
        held: Held,
        lease_s: float,
        holding: Holding,
        admits: Callable[[WorkItem], bool] | None,
        max_bytes: int,
    ) -> None:
        """Take the result of a step.

        Args:
            loaded: What its instance runs.
            command: The result.
            number: Number of the work item that was done.
            seen: The state that the step saw.
            held: The claim of the work item.
            lease_s: Seconds for which what follows is taken.
            holding: Told what is taken.
            admits: Whether the worker goes on with a work item; None always does.
            max_bytes: Most bytes of data.
        """
        self.command = command
        self.seen = seen
        self.held = held
        self.lease_s = lease_s
        self.following: WorkItem | None = None
        self._loaded = loaded
        self._number = number
        self._holding = holding
        self._admits = admits
        self._max_bytes = max_bytes

    def decide(self, state: InstanceState) -> None:
        """Decide, and say what is taken."""
        transition = decide(self._loaded.program, state, self.command)
        check_size(transition, self._max_bytes)
        following = following_of(self._loaded, transition, self._number, self._admits)
        self.transition, self.following = transition, following
        self.take = () if following is None else (following.number,)
        self._holding.take(None if following is None else following.number)


class RequestDecision(Decision):
    """A command from outside.

    Args:
        loaded: What its instance runs.
        seen: The instance as it was read.
        make: Makes the command from the instance as it stands; may refuse by raising.
        actor: Who asks.
        max_bytes: Most bytes of data.
    """

    def __init__(
        self,
        loaded: LoadedProgram,
        seen: InstanceState,
        make: Callable[[InstanceState], Command],
        *,
        actor: str,
        max_bytes: int,
    ) -> None:
        self.seen = seen
        self._loaded = loaded
        self._make = make
        self._actor = actor
        self._max_bytes = max_bytes

    def decide(self, state: InstanceState) -> None:
        """Make the command anew, and decide."""
        transition = decide(self._loaded.program, state, self._make(state), self._actor)
        check_size(transition, self._max_bytes)
        self.transition = transition


def following_of(
    loaded: LoadedProgram, transition: Transition, number: int, admits: Callable[[WorkItem], bool] | None
) -> WorkItem | None:
    """The work item with which a worker goes on: that of this number, else the first that is ready; None if it takes none."""
    if transition.state.status is WorkflowStatus.PAUSED:
        return None
    same = transition.work.get(number)
    candidates = (same, *transition.work.values()) if same is not None else transition.work.values()
    for item in candidates:
        if item is None or item.delay_s > 0 or item.kind in _WAITS:
            continue
        if transition.state.knows_data(item.scope) and loaded.can_run(item) and (admits is None or admits(item)):
            return item
    return None
