"""What a worker takes: one check for what it claims, and for what it goes on with in place."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from workflows_core.domain.state import InstanceState
from workflows_core.domain.transition import WorkItem
from workflows_core.ports.store import ClaimRequest, step_key

__all__ = ["Admission"]

_MOST_AT_ONCE: Final = 100
_LACKING_S: Final = 60.0


class Admission:
    """Whether a worker takes work: a queue that it serves, code that it has, a free slot, and no stop under way.

    That the instance is not paused, and that others get their turn after some steps in a row, is seen to where it is known: by the store
    and by the runner.
    """

    def __init__(
        self,
        *,
        slots: int,
        queues: frozenset[str] | None,
        codes: Callable[[], frozenset[str]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin to admit.

        Args:
            slots: Most steps at once.
            queues: Queues that are served; None serves all.
            codes: `code_key` of each workflow whose code there is.
            clock: Seconds that pass.
        """
        self._slots = slots
        self._codes = codes
        self._clock = clock
        self._lacking: dict[str, float] = {}
        self.queues: Final = queues
        self.is_open = True

    def close(self) -> None:
        """Take nothing from now on."""
        self.is_open = False

    def admits(self, item: WorkItem) -> bool:
        """Whether the slot that its instance has already may be used for this too."""
        return self.is_open and self.serves(item.queue)

    def serves(self, queue: str) -> bool:
        """Whether work of this queue may be taken at all."""
        return self.queues is None or queue in self.queues

    def has_room(self, taken: int) -> bool:
        """Whether another step may begin while so many slots are in use."""
        return self.is_open and taken < self._slots

    def request(
        self,
        worker: str,
        lease_s: float,
        *,
        taken: int,
        most: int = _MOST_AT_ONCE,
        queues: frozenset[str] | None = None,
    ) -> ClaimRequest | None:
        """What may be claimed now; None for nothing.

        Args:
            worker: Id of the worker.
            lease_s: Seconds of the leases.
            taken: Slots in use.
            most: Most that is wanted.
            queues: Of which queues, instead of all that are served.
        """
        if not self.has_room(taken):
            return None
        return ClaimRequest(
            worker=worker,
            limit=min(self._slots - taken, most, _MOST_AT_ONCE),
            lease_s=lease_s,
            queues=self.queues if queues is None else queues,
            codes=self._codes(),
            without=self._without(),
        )

    def note_lack(self, state: InstanceState, item: WorkItem) -> None:
        """Leave a step to others, for a minute: its workflow is registered here, but without it. Code may be registered meanwhile."""
        self._lacking[step_key(state.workflow, state.version, item.step)] = self._clock() + _LACKING_S

    def _without(self) -> frozenset[str]:
        if self._lacking:
            now = self._clock()
            self._lacking = {key: until for key, until in self._lacking.items() if until > now}
        return frozenset(self._lacking)
