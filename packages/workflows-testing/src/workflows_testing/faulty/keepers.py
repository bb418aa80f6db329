"""Faults of keepers of leases."""

from __future__ import annotations

import asyncio
import threading
from typing import Final

from workflows_core.adapters.memory import InMemoryLeaseKeeper, InMemoryWorkflowStore, MemoryState
from workflows_core.ports.leases import Lease, LeaseKeeper
from workflows_core.ports.store import Claim, ClaimRequest
from workflows_testing.conformance.lease_keepers import KeeperRules
from workflows_testing.faulty.fault import Fault, with_store
from workflows_testing.faulty.leases import RenewalRaisesTheFence, RenewsForEverybody, RenewsNothing, RevivesLeases

__all__ = ["FAULTS"]


class LonelyKeeper(InMemoryLeaseKeeper):
    """Works in the thread of its store."""

    async def renew(self, worker: str, lease_s: float) -> set[Lease]:
        if threading.current_thread() is not threading.main_thread():
            msg = "attached to a different loop"
            raise RuntimeError(msg)
        return await super().renew(worker, lease_s)


class SpoiledKeeper(InMemoryLeaseKeeper):
    """Takes a renewal that was given up for one that is under way."""

    __slots__ = ("_is_busy",)

    def __init__(self, store: InMemoryWorkflowStore) -> None:
        super().__init__(store)
        self._is_busy = False

    async def renew(self, worker: str, lease_s: float) -> set[Lease]:
        if self._is_busy:
            return set()
        self._is_busy = True
        await asyncio.sleep(0)
        held = await super().renew(worker, lease_s)
        self._is_busy = False
        return held


class WithLonelyKeeper(InMemoryWorkflowStore):
    def lease_keeper(self) -> LeaseKeeper:
        return LonelyKeeper(self)


class WithSpoiledKeeper(InMemoryWorkflowStore):
    def lease_keeper(self) -> LeaseKeeper:
        return SpoiledKeeper(self)


class GreedyKeeper(InMemoryLeaseKeeper):
    """Closes the store with itself."""

    def __init__(self, store: ClosedByItsKeeper) -> None:
        super().__init__(store)
        self._greedy = store

    async def close(self) -> None:
        self._greedy.is_closed = True


class ClosedByItsKeeper(InMemoryWorkflowStore):
    __slots__ = ("is_closed",)

    def __init__(self, memory: MemoryState) -> None:
        super().__init__(memory)
        self.is_closed = False

    def lease_keeper(self) -> LeaseKeeper:
        return GreedyKeeper(self)

    async def claim(self, request: ClaimRequest) -> list[Claim]:
        return [] if self.is_closed else await super().claim(request)


FAULTS: Final[tuple[Fault, ...]] = (
    with_store(RenewsNothing, "keeps nothing", KeeperRules),
    with_store(RevivesLeases, "keeps what has ended", KeeperRules),
    with_store(RenewsForEverybody, "keeps the leases of all workers", KeeperRules),
    with_store(RenewalRaisesTheFence, "raises the fence to keep a lease", KeeperRules),
    with_store(WithLonelyKeeper, "keeps leases in one thread only", KeeperRules, crashes=True),
    with_store(WithSpoiledKeeper, "keeps nothing after it was cancelled", KeeperRules),
    with_store(ClosedByItsKeeper, "closes the store with the keeper", KeeperRules),
)
