"""What the store asks of a database, and what PostgreSQL and SQLite answer each in its own way."""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Engine, Select, func, literal
from sqlalchemy.ext.asyncio import AsyncEngine

from workflows_core.ports.clock import Clock
from workflows_core.ports.executor import StepExecutor
from workflows_core.ports.leases import Lease, LeaseKeeper
from workflows_core.ports.store import ClaimRequest, Loaded, Write, WriteResult
from workflows_core.ports.turns import LastTurns
from workflows_sqlalchemy.column_types import Moment
from workflows_sqlalchemy.errors import DATABASE_ERRORS, Fault, fault_of, is_dead_connection, unavailable
from workflows_sqlalchemy.group_commit import Outcome
from workflows_sqlalchemy.loading import AnyRow, Claimed, read_instance

if TYPE_CHECKING:
    from workflows_sqlalchemy.sessions.sharing import Sharing

__all__ = ["Backend", "Work", "one_by_one", "persistently"]

T = TypeVar("T")

Work: TypeAlias = Callable[[Connection], T]

_FIRST_PAUSE_S: Final = 0.005
_LONGEST_PAUSE_S: Final = 0.1
_SERVER_MOMENT: Final = func.clock_timestamp(type_=Moment())


class Backend(ABC):
    """A database.

    What is run in it are plain functions of a synchronous connection: they are the same whether a driver waits in the event loop
    (PostgreSQL) or in a thread (SQLite).

    Attributes:
        engine: Its connections; listeners of SQLAlchemy's events may be added to it.
        clock: Tells the time instead of the database, for tests; None for the database's own clock.
        locks: Whether an instance that is read must not be changed by others until the transaction ends.
        sharing: How transactions are shared with the application; None inside such a transaction.
    """

    engine: Engine
    clock: Clock | None
    locks: bool = False
    sharing: Sharing | None = None

    @property
    @abstractmethod
    def database(self) -> str | AsyncEngine:
        """What `workflows_sqlalchemy.schema` takes to migrate it."""

    # Reading

    @abstractmethod
    async def read(self, work: Work[T]) -> T:
        """Run one statement; ``work`` may be called again after an error."""

    async def select(self, query: Select[*tuple[Any, ...]], values: Mapping[str, Any]) -> Sequence[AnyRow]:
        """The rows of a query that is kept, because making it costs as much as running it."""
        return await self.read(lambda connection: connection.execute(query, values).all())

    async def instance(self, instance_id: UUID, tenant: str | None) -> Loaded | None:
        """An instance (of a tenant) without the scopes of items."""
        moment, lock = self.moment(), self.locks
        return await self.read(lambda connection: read_instance(connection, instance_id, tenant, moment, lock=lock))

    @abstractmethod
    async def snapshot(self, work: Work[T]) -> T:
        """Run several statements that see the same moment; ``work`` may be called again after an error."""

    @abstractmethod
    async def now(self) -> datetime:
        """The moment, by the clock that all methods use."""

    def moment(self) -> ColumnElement[datetime]:
        """The moment, as an expression of a query."""
        if self.clock is None:
            return _SERVER_MOMENT
        return literal(self.clock.now(), Moment())

    @abstractmethod
    def notifier(self) -> StepExecutor:
        """As `SQLAlchemyWorkflowStore.notifier`."""

    # Writing

    @abstractmethod
    async def insert_definitions(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows of `tables.definitions`, all or none; hashes that are known stay as they are."""

    @abstractmethod
    async def commit(self, writes: Sequence[Write]) -> list[Outcome]:
        """As `WorkflowStore.commit`, but with the error of each write in its place."""

    @abstractmethod
    async def claim(self, request: ClaimRequest, last: LastTurns) -> list[Claimed]:
        """As `WorkflowStore.claim`, for those whose turn it is after these, in any order, and not all with a complete state."""

    @abstractmethod
    async def renew(self, worker: str, lease_s: float) -> set[Lease]:
        """As `WorkflowStore.renew`."""

    @abstractmethod
    def lease_keeper(self) -> LeaseKeeper:
        """As `WorkflowStore.lease_keeper`."""

    @abstractmethod
    async def release(self, worker: str, leases: Sequence[Lease], *, delay_s: float, untouched: bool) -> None:
        """As `WorkflowStore.release`."""

    @abstractmethod
    async def next_due(
        self, queues: frozenset[str] | None, codes: frozenset[str] | None, without: frozenset[str]
    ) -> float | None:
        """As `WorkflowStore.next_due`."""

    @abstractmethod
    async def close(self) -> None:
        """As `WorkflowStore.close`; what is under way is finished first."""


async def persistently(attempt: Callable[[], Awaitable[T]], *, reconnects: bool = True, patience_s: float = 30.0) -> T:
    """Try again where somebody was in the way, and once where a connection of the pool proved to be dead.

    Args:
        attempt: What is tried; unless its connection is lost, it leaves nothing behind when it raises.
        reconnects: Whether it leaves nothing behind either when its connection is lost.
        patience_s: For how long somebody else is borne with.

    Raises:
        StoreUnavailableError: The last try failed too, or the error is of another kind.
    """
    deadline = monotonic() + patience_s
    pause_s = _FIRST_PAUSE_S
    may_reconnect = reconnects
    while True:
        try:
            return await attempt()
        except DATABASE_ERRORS as error:
            if may_reconnect and is_dead_connection(error):
                may_reconnect = False  # the pool has forgotten all connections that are as old
                continue
            if fault_of(error) is not Fault.CONTENTION or monotonic() > deadline:
                raise unavailable(error) from error
        await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - not a secret
        pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)


async def one_by_one(alone: Callable[[Write], Awaitable[WriteResult]], writes: Sequence[Write]) -> list[Outcome]:
    """Commit the writes of a batch that failed as a whole each by itself, so that a bad one harms only itself."""
    outcomes: list[Outcome] = []
    for write in writes:
        try:
            outcomes.append(await alone(write))
        except Exception as error:  # noqa: BLE001 - told to the caller of this write
            outcomes.append(error)
    return outcomes
