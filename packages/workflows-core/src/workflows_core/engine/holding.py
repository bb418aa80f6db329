"""What a worker holds of an instance while it runs its steps, and until when it may count on that."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Set as AbstractSet

from workflows_core.domain.transition import WorkItem
from workflows_core.ports.executor import WorkRef
from workflows_core.ports.leases import Lease
from workflows_core.ports.store import Claim

__all__ = ["Holding"]


class Holding:
    """What a worker holds at the moment; changes as the worker goes from step to step, and is read by its heartbeat.

    Its lease counts by the clock of the process, from before the request was sent that began or renewed it: so it ends here before it
    ends in the store, whatever the two clocks show.
    """

    __slots__ = (
        "_clock",
        "_crashes",
        "_fence",
        "_instance_id",
        "_is_recording",
        "_item",
        "_lease_s",
        "_lock",
        "_next",
        "_sent",
        "_stops",
        "_threads",
        "_until",
    )

    def __init__(
        self,
        claim: Claim,
        *,
        sent: float = 0.0,
        lease_s: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Hold what was claimed.

        Args:
            claim: What the store gave.
            sent: When it was asked for, by ``clock``.
            lease_s: Seconds of the lease.
            clock: Seconds that pass for this process, also while it is frozen.
        """
        self._instance_id = claim.state.id
        self._item = claim.item
        self._fence = claim.fence
        self._crashes = claim.crashes
        self._next: int | None = None
        self._is_recording = False
        self._stops = False
        self._clock = clock
        self._lease_s = lease_s
        self._sent = sent
        self._until = sent + lease_s
        self._threads = 0
        self._lock = threading.Lock()

    @property
    def ref(self) -> WorkRef:
        """The work item."""
        return WorkRef(self._instance_id, self._item.number)

    @property
    def lease(self) -> Lease:
        """What is held; while a commit is under way, the store may know another one instead."""
        return Lease(self._instance_id, self._item.number, self._fence)

    @property
    def taking(self) -> WorkRef | None:
        """The work item that is taken by the commit under way, or by one of which the answer never came."""
        return None if self._next is None else WorkRef(self._instance_id, self._next)

    @property
    def refs(self) -> frozenset[WorkRef]:
        """The work item, and the one that is being taken after it: the store holds one of them for this worker."""
        return frozenset(ref for ref in (self.ref, self.taking) if ref is not None)

    @property
    def crashes(self) -> int:
        """How many workers the work item has cost."""
        return self._crashes

    def begin(self) -> None:
        """Code of the step begins to run: nothing is being committed, or it was taken back."""
        self._is_recording = False
        self._next = None

    def record(self) -> None:
        """Say that the code has ended, and that what follows from it is to be committed."""
        self._is_recording = True

    def take(self, number: int | None) -> None:
        """Say which work item is taken with the commit that begins now."""
        self._sent = self._clock()
        self._next = number

    def go_on(self, item: WorkItem, fence: int) -> None:
        """Hold another work item of the same instance instead, leased with that fence by the commit that has ended."""
        self._until = max(self._until, self._sent + self._lease_s)
        self._item = item
        self._fence = fence
        self._stops = False
        self._crashes = 0
        self._next = None
        self._is_recording = False

    @property
    def is_recording(self) -> bool:
        """Whether the code has ended and its result is to be committed: then the store alone says who holds the work item."""
        return self._is_recording

    def renew(self, held: AbstractSet[Lease], sent: float) -> None:
        """Take note of a renewal that was sent at a moment; of use only if this is among what is ``held``."""
        if self.lease in held:
            self._until = max(self._until, sent + self._lease_s)

    def may_begin(self) -> bool:
        """Whether enough is left of the lease to begin a step: half of it."""
        return self._until - self._clock() >= self._lease_s / 2

    def has_lapsed(self) -> bool:
        """Whether the lease may have ended: others may do the work by now."""
        return self._clock() >= self._until

    def enter_thread(self) -> Callable[[], None]:
        """Note that code runs in a thread; returns what notes, in any thread, that it has ended."""

        def leave() -> None:
            with self._lock:
                self._threads -= 1

        with self._lock:
            self._threads += 1
        return leave

    @property
    def is_busy(self) -> bool:
        """Whether code still runs in a thread, wanted or not."""
        return self._threads > 0

    def ask_to_stop(self) -> None:
        """Tell the code under way that its result is no longer wanted."""
        self._stops = True

    def stops(self) -> bool:
        """Whether the code under way has been asked to stop."""
        return self._stops
