"""Faults of counting crashes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from msgspec.structs import replace

from workflows_core.adapters.memory import InMemoryWorkflowStore, MemoryState
from workflows_core.domain.transition import WorkKind
from workflows_core.ports.leases import Lease
from workflows_core.ports.store import Claim, ClaimRequest, Write, WriteResult
from workflows_testing.conformance.store_crashes import CrashRules
from workflows_testing.faulty.claims import ChangesClaims
from workflows_testing.faulty.fault import Fault, with_store

__all__ = ["FAULTS"]


class CountsReleases(InMemoryWorkflowStore):
    """A release changes the count."""

    __slots__ = ("_change",)

    def __init__(self, memory: MemoryState, change: Callable[[int], int]) -> None:
        super().__init__(memory)
        self._change = change

    async def release(
        self, worker: str, leases: Sequence[Lease], *, delay_s: float = 0.0, untouched: bool = False
    ) -> None:
        await super().release(worker, leases, delay_s=delay_s, untouched=untouched)
        for lease in leases:
            work = self.memory.instances[lease.instance_id.int].work[lease.number]
            work.crashes = self._change(work.crashes)


class CountsRenewals(InMemoryWorkflowStore):
    async def renew(self, worker: str, lease_s: float) -> set[Lease]:
        held = await super().renew(worker, lease_s)
        for lease in held:
            self.memory.instances[lease.instance_id.int].work[lease.number].crashes += 1
        return held


class CountsForEver(InMemoryWorkflowStore):
    """Goes on counting when work is written anew."""

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        before = {work: work.crashes for row in self.memory.instances.values() for work in row.work.values()}
        results = await super().commit(writes)
        for work, crashes in before.items():
            work.crashes = crashes
        return results


class CountsOthersOnly(InMemoryWorkflowStore):
    """Does not count what a worker lost itself."""

    async def claim(self, request: ClaimRequest) -> list[Claim]:
        rows = [work for row in self.memory.instances.values() for work in row.work.values()]
        own = {work.ref for work in rows if work.worker == request.worker}
        claims = await super().claim(request)
        return [replace(claimed, crashes=claimed.crashes - 1) if claimed.ref in own else claimed for claimed in claims]


def _not_taken_over(claims: list[Claim]) -> list[Claim]:
    return [
        replace(claimed, crashes=0) if claimed.item.kind is WorkKind.EXPIRE else claimed for claimed in claims
    ]  # fmt: skip


def _always_expired(claims: list[Claim]) -> list[Claim]:
    return [
        replace(claimed, crashes=1) if claimed.item.kind is WorkKind.EXPIRE else claimed for claimed in claims
    ]  # fmt: skip


FAULTS: Final[tuple[Fault, ...]] = (
    *(
        with_store(partial(ChangesClaims, change=change), name, CrashRules)
        for change, name in (
            (lambda claims: [replace(claimed, crashes=0) for claimed in claims], "counts no crashes"),
            (lambda claims: [replace(claimed, crashes=1) for claimed in claims], "always counts one crash"),
            (
                lambda claims: [replace(claimed, crashes=claimed.attempt - 1) for claimed in claims],
                "takes every earlier claim for a crash",
            ),
            (_not_taken_over, "does not count work that is taken from its holder"),
            (_always_expired, "takes time that is over for a crash"),
        )
    ),
    with_store(partial(CountsReleases, change=lambda crashes: crashes + 1), "counts releases as crashes", CrashRules),
    with_store(partial(CountsReleases, change=lambda _crashes: 0), "forgets crashes by a release", CrashRules),
    with_store(CountsRenewals, "counts renewals as crashes", CrashRules),
    with_store(CountsForEver, "goes on counting crashes when work is written anew", CrashRules),
    with_store(CountsOthersOnly, "does not count what a worker lost itself", CrashRules),
)
