"""A store that passes every call on to another one, through one door."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from workflows_core.domain.graph import WorkflowGraph
from workflows_core.ports.leases import Lease, LeaseKeeper
from workflows_core.ports.store import Claim, ClaimRequest, Committed, Loaded, WorkflowStore, Write, WriteResult
from workflows_core.ports.transactions import Transactions

__all__ = ["STORE_METHODS", "RelayedLeaseKeeper", "StoreCall", "StoreRelay"]

STORE_METHODS: Final = frozenset(
    {
        "check",
        "claim",
        "close",
        "commit",
        "committed",
        "graph",
        "item_results",
        "load",
        "next_due",
        "now",
        "publish",
        "release",
        "renew",
    }
)
"""Names of everything that a store can be asked; ``renew`` is also what its lease keepers are asked."""


@dataclass(frozen=True, slots=True)
class StoreCall:
    """One call of a store that is on its way.

    Attributes:
        method: Name of the method.
        arguments: What it was given; keyword arguments after the others, in the order of the port.
        store: The store that it goes to.
        perform: Makes the call, as it was meant, and gives its answer.
    """

    method: str
    arguments: tuple[Any, ...]
    store: WorkflowStore
    perform: Callable[[], Awaitable[Any]]


class StoreRelay(WorkflowStore):
    """Passes every call on as it is; a subclass says in `carry` what happens to it on the way.

    What happens inside a transaction that a step or the application shares does not come this way.
    """

    def __init__(self, store: WorkflowStore) -> None:
        """Wrap a store."""
        self._store = store

    @property
    def transactions(self) -> Transactions | None:
        """Those of the wrapped store."""
        return self._store.transactions

    async def carry(self, call: StoreCall) -> Any:
        """Make a call and return its answer; a subclass may do something before, after or instead."""
        return await call.perform()

    async def _ask(self, method: str, perform: Callable[[], Awaitable[Any]], *arguments: Any) -> Any:
        return await self.carry(StoreCall(method, arguments, self._store, perform))

    async def check(self) -> None:
        await self._ask("check", self._store.check)

    async def close(self) -> None:
        await self._ask("close", self._store.close)

    async def now(self) -> datetime:
        moment: datetime = await self._ask("now", self._store.now)
        return moment

    async def publish(self, graphs: Sequence[WorkflowGraph]) -> None:
        await self._ask("publish", partial(self._store.publish, graphs), graphs)

    async def graph(self, graph_hash: str) -> WorkflowGraph | None:
        found: WorkflowGraph | None = await self._ask("graph", partial(self._store.graph, graph_hash), graph_hash)
        return found

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        results: Sequence[WriteResult] = await self._ask("commit", partial(self._store.commit, writes), writes)
        return results

    async def committed(self, write: Write) -> Committed | None:
        found: Committed | None = await self._ask("committed", partial(self._store.committed, write), write)
        return found

    async def load(
        self,
        instance_id: UUID,
        *,
        tenant: str | None = None,
        scopes: Collection[int] = (),
        all_items: bool = False,
    ) -> Loaded | None:
        perform = partial(self._store.load, instance_id, tenant=tenant, scopes=scopes, all_items=all_items)
        found: Loaded | None = await self._ask("load", perform, instance_id, tenant, scopes, all_items)
        return found

    async def item_results(self, instance_id: UUID, first: int, total: int) -> list[bytes]:
        perform = partial(self._store.item_results, instance_id, first, total)
        results: list[bytes] = await self._ask("item_results", perform, instance_id, first, total)
        return results

    async def claim(self, request: ClaimRequest) -> list[Claim]:
        claims: list[Claim] = await self._ask("claim", partial(self._store.claim, request), request)
        return claims

    async def renew(self, worker: str, lease_s: float) -> set[Lease]:
        held: set[Lease] = await self._ask("renew", partial(self._store.renew, worker, lease_s), worker, lease_s)
        return held

    def lease_keeper(self) -> LeaseKeeper:
        return RelayedLeaseKeeper(self, self._store, self._store.lease_keeper())

    async def release(
        self, worker: str, leases: Sequence[Lease], *, delay_s: float = 0.0, untouched: bool = False
    ) -> None:
        perform = partial(self._store.release, worker, leases, delay_s=delay_s, untouched=untouched)
        await self._ask("release", perform, worker, leases, delay_s, untouched)

    async def next_due(
        self,
        *,
        queues: frozenset[str] | None = None,
        codes: frozenset[str] | None = None,
        without: frozenset[str] = frozenset(),
    ) -> float | None:
        perform = partial(self._store.next_due, queues=queues, codes=codes, without=without)
        seconds: float | None = await self._ask("next_due", perform, queues, codes, without)
        return seconds


class RelayedLeaseKeeper(LeaseKeeper):
    """A lease keeper of the wrapped store, whose renewals go through the door of the relay."""

    def __init__(self, relay: StoreRelay, store: WorkflowStore, keeper: LeaseKeeper) -> None:
        """Wrap a keeper.

        Args:
            relay: Its door.
            store: The store behind it.
            keeper: A keeper of that store.
        """
        self._relay = relay
        self._store = store
        self._keeper = keeper

    async def renew(self, worker: str, lease_s: float) -> set[Lease]:
        perform = partial(self._keeper.renew, worker, lease_s)
        held: set[Lease] = await self._relay.carry(StoreCall("renew", (worker, lease_s), self._store, perform))
        return held

    async def close(self) -> None:
        await self._keeper.close()
