"""Commands with what the kernel decides about them: of a worker about its step, and of somebody from outside."""

from __future__ import annotations

from collections.abc import Callable

from workflows_core.domain.commands import Command
from workflows_core.domain.kernel import decide
from workflows_core.domain.state import InstanceState
from workflows_core.domain.transition import WorkItem
from workflows_core.engine.folds import Decision
from workflows_core.engine.following import following_of
from workflows_core.engine.holding import Holding
from workflows_core.engine.limits import check_size
from workflows_core.engine.programs import LoadedProgram
from workflows_core.engine.seating import Seating
from workflows_core.ports.store import Held

__all__ = ["RequestDecision", "StepDecision"]


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
        self.worker = held.worker
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
    """A command from outside; it is made from the instance as it was read, and anew if others have changed that.

    Args:
        loaded: What its instance runs.
        seen: The instance as it was read.
        make: Makes the command from the instance as it stands; may refuse by raising, at once or later.
        seating: Keeps a slot for what follows.
        actor: Who asks.
        max_bytes: Most bytes of data.
    """

    def __init__(
        self,
        loaded: LoadedProgram,
        seen: InstanceState,
        make: Callable[[InstanceState], Command],
        *,
        seating: Seating,
        actor: str,
        max_bytes: int,
    ) -> None:
        self.seen = seen
        self._loaded = loaded
        self._make = make
        self._command = make(seen)
        self._seating = seating
        self._actor = actor
        self._max_bytes = max_bytes

    def decide(self, state: InstanceState) -> None:
        """Decide, and say what is taken."""
        command = self._command if state is self.seen else self._make(state)
        transition = decide(self._loaded.program, state, command, self._actor)
        check_size(transition, self._max_bytes)
        seating = self._seating
        seating.keep(self._loaded, transition)
        self.transition = transition
        self.take, self.worker, self.lease_s = seating.take, seating.worker, seating.lease_s
