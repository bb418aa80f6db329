"""The store."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
from msgspec.structs import replace
from sqlalchemy import select

from workflows_core.domain.graph import WorkflowGraph
from workflows_core.domain.state import ROOT
from workflows_core.errors import StoreUnavailableError
from workflows_core.ports.executor import StepExecutor
from workflows_core.ports.leases import Lease, LeaseKeeper
from workflows_core.ports.store import Claim, ClaimRequest, Committed, Loaded, WorkflowStore, Write, WriteResult
from workflows_core.ports.transactions import Transactions
from workflows_core.ports.turns import LastTurns, Turns, in_turn
from workflows_sqlalchemy.backend import Backend
from workflows_sqlalchemy.errors import MIGRATE
from workflows_sqlalchemy.loading import Claimed, item_results, read_with_scopes
from workflows_sqlalchemy.schema import HEAD, read_revision
from workflows_sqlalchemy.tables import definitions
from workflows_sqlalchemy.verdicts import committed
from workflows_sqlalchemy.writing import bounded

if TYPE_CHECKING:
    from workflows_sqlalchemy.sessions.transactions import SQLAlchemyTransactions

__all__ = ["SQLAlchemyWorkflowStore"]


class SQLAlchemyWorkflowStore(WorkflowStore):
    """Keeps workflows in SQLite or PostgreSQL. Made by `create_store`.

    It belongs to the event loop in which it is first used; another loop needs a store of its own. Writes that arrive while others are
    being committed are committed together.

    Args:
        backend: The database; shared with the queries.
        transactions: What joins transactions of the application; None inside one.
    """

    def __init__(self, backend: Backend, transactions: SQLAlchemyTransactions | None = None) -> None:
        self.backend = backend
        self._transactions = transactions
        self._turns = Turns()

    @property
    def transactions(self) -> Transactions | None:
        return self._transactions

    async def check(self) -> None:
        revision = await self.backend.snapshot(read_revision)
        if revision == HEAD:
            return
        if revision is None:
            raise StoreUnavailableError("the database has no tables of workflows", f"make them: {MIGRATE}")
        reason = f"its schema is at revision {revision}, this version of workflows wants {HEAD}"
        raise StoreUnavailableError(reason, MIGRATE)

    async def close(self) -> None:
        if self._transactions is not None:
            await self._transactions.close()
        await self.backend.close()

    async def now(self) -> datetime:
        return await self.backend.now()

    async def publish(self, graphs: Sequence[WorkflowGraph]) -> None:
        if not graphs:
            return
        wanted = {graph.hash: graph for graph in graphs}
        query = select(definitions.c.hash).where(definitions.c.hash.in_(wanted))
        known = set(await self.backend.read(lambda connection: connection.scalars(query).all()))
        missing = [graph for graph_hash, graph in wanted.items() if graph_hash not in known]
        if missing:
            at = await self.backend.now()
            await self.backend.insert_definitions([_definition(graph, at) for graph in missing])

    async def graph(self, graph_hash: str) -> WorkflowGraph | None:
        query = select(definitions.c.definition_json).where(definitions.c.hash == graph_hash)
        found = await self.backend.read(lambda connection: connection.scalar(query))
        return None if found is None else msgspec.convert(found, WorkflowGraph)

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        results: list[WriteResult] = []
        failed: Exception | None = None
        for outcome in await self.backend.commit(writes):
            if isinstance(outcome, Exception):
                failed = outcome
            else:
                results.append(outcome)
        if failed is not None:
            raise failed
        return results

    async def committed(self, write: Write) -> Committed | None:
        return await self.backend.snapshot(lambda connection: committed(connection, write))

    async def load(
        self,
        instance_id: UUID,
        *,
        tenant: str | None = None,
        scopes: Collection[int] = (),
        all_items: bool = False,
    ) -> Loaded | None:
        if not all_items and all(scope == ROOT for scope in scopes):
            return await self.backend.instance(instance_id, tenant)
        moment, lock = self.backend.moment(), self.backend.locks
        return await self.backend.snapshot(
            lambda connection: read_with_scopes(
                connection, instance_id, tenant, moment, wanted=scopes, all_items=all_items, lock=lock
            )
        )

    async def item_results(self, instance_id: UUID, first: int, total: int) -> list[bytes]:
        return await self.backend.read(lambda connection: item_results(connection, instance_id, first, total))

    async def claim(self, request: ClaimRequest) -> list[Claim]:
        if request.limit <= 0 or request.items == ():
            return []
        last = self._turns.last(request)
        found = await self.backend.claim(replace(request, lease_s=bounded(request.lease_s)), last)
        if len(found) > 1:
            found = _sorted(found, request, last)
        self._turns.go_on(request, (claimed.claim for claimed in found))
        return [claimed.claim if claimed.is_complete else await self._completed(claimed) for claimed in found]

    async def renew(self, worker: str, lease_s: float) -> set[Lease]:
        return await self.backend.renew(worker, bounded(lease_s))

    def notifier(self) -> StepExecutor:
        """An executor that wakes the workers of all processes on this database; give it to the engine as ``executor``.

        It is also a `WakeUps`, so workers of that engine are woken by it. On PostgreSQL it uses LISTEN and NOTIFY, on SQLite it watches the
        file. Each call makes another; it is closed by the engine, before the store.
        """
        return self.backend.notifier()

    def lease_keeper(self) -> LeaseKeeper:
        return self.backend.lease_keeper()

    async def release(
        self, worker: str, leases: Sequence[Lease], *, delay_s: float = 0.0, untouched: bool = False
    ) -> None:
        if leases:
            await self.backend.release(worker, leases, delay_s=bounded(delay_s), untouched=untouched)

    async def next_due(
        self,
        *,
        queues: frozenset[str] | None = None,
        codes: frozenset[str] | None = None,
        without: frozenset[str] = frozenset(),
    ) -> float | None:
        return await self.backend.next_due(queues, codes, without)

    async def _completed(self, claimed: Claimed) -> Claim:
        """A claim with its state read anew, with all scopes around it."""
        claim = claimed.claim
        loaded = await self.load(claim.state.id, scopes=(claim.item.scope,))
        return claim if loaded is None else replace(claim, state=loaded.state)


def _sorted(found: Sequence[Claimed], request: ClaimRequest, last: LastTurns) -> list[Claimed]:
    """Claims in their order; those of work items that were asked for take no turns."""
    if request.items is not None:
        return sorted(found, key=lambda claimed: claimed.order)
    return in_turn(found, lambda claimed: claimed.order, lambda claimed: claimed.claim.state.tenant, last)


def _definition(graph: WorkflowGraph, at: datetime) -> dict[str, object]:
    return {
        "hash": graph.hash,
        "name": graph.name,
        "version": graph.version,
        "description": graph.description,
        "definition_json": msgspec.to_builtins(graph),
        "is_active": True,
        "created_at": at,
    }
