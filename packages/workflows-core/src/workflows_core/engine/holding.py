"""What a worker holds of an instance while it runs its steps."""

from __future__ import annotations

from workflows_core.domain.transition import WorkItem
from workflows_core.ports.executor import WorkRef
from workflows_core.ports.store import Claim

__all__ = ["Holding"]


class Holding:
    """What a worker holds at the moment; changes as the worker goes from step to step."""

    __slots__ = ("_instance_id", "_item", "_next", "_stops")

    def __init__(self, claim: Claim) -> None:
        self._instance_id = claim.state.id
        self._item = claim.item
        self._next: int | None = None
        self._stops = False

    @property
    def ref(self) -> WorkRef:
        """The work item."""
        return WorkRef(self._instance_id, self._item.number)

    @property
    def refs(self) -> frozenset[WorkRef]:
        """The work item, and the one that is being taken after it: the store holds one of them for this worker."""
        if self._next is None:
            return frozenset((self.ref,))
        return frozenset((self.ref, WorkRef(self._instance_id, self._next)))

    def take(self, number: int | None) -> None:
        """Say which work item is taken with the commit that begins now."""
        self._next = number

    def go_on(self, item: WorkItem) -> None:
        """Hold another work item of the same instance instead."""
        self._item = item
        self._next = None

    def ask_to_stop(self) -> None:
        """Tell the code under way that its result is no longer wanted."""
        self._stops = True

    def stops(self) -> bool:
        """Whether the code under way has been asked to stop."""
        return self._stops
