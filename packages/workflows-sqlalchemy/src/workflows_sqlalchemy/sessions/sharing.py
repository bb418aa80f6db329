"""What sharing a transaction asks of a database, and what PostgreSQL and SQLite answer each in its own way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection, Engine, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from workflows_core.errors import InfrastructureError, TransactionAbortedError
from workflows_core.ports.clock import Clock
from workflows_core.ports.executor import StepExecutor
from workflows_core.ports.leases import LeaseKeeper
from workflows_core.ports.store import Write, WriteResult
from workflows_sqlalchemy.backend import Backend, Work
from workflows_sqlalchemy.errors import DATABASE_ERRORS, Fault, fault_of, reason_of, unavailable
from workflows_sqlalchemy.group_commit import Outcome

__all__ = ["SessionBackend", "Sharing", "error_in_transaction"]

T = TypeVar("T")


class Sharing(ABC):
    """How transactions are begun and joined in a database."""

    @property
    @abstractmethod
    def dialect(self) -> str:
        """SQLAlchemy's name of the database."""

    @property
    @abstractmethod
    def longest_s(self) -> float | None:
        """As `Transactions.longest_s`."""

    @abstractmethod
    def engine(self) -> AsyncEngine:
        """Where transactions for steps are begun."""

    @abstractmethod
    def turn(self) -> AbstractAsyncContextManager[None]:
        """Around a transaction of a step: waits for those in this process that would only be in its way."""

    @abstractmethod
    async def enter(self, connection: AsyncConnection) -> None:
        """Prepare a transaction that has begun, so that the store can read and write in it.

        Raises:
            SessionRefusedError: It is no transaction.
            SQLAlchemyError: The database refuses.
        """

    @abstractmethod
    async def check_place(self, connection: AsyncConnection) -> None:
        """Check that a connection leads to the tables of the store.

        Raises:
            SessionRefusedError: It does not.
            SQLAlchemyError: The database refuses.
        """

    @abstractmethod
    def watch(self, engine: Engine) -> None:
        """Know from now on which transactions of an engine are open; done once for each engine."""

    @abstractmethod
    def backend(self, session: AsyncSession, connection: AsyncConnection) -> Backend:
        """What runs the store's statements inside the transaction of a session."""

    @abstractmethod
    async def close(self) -> None:
        """Give back what was made for it."""


class SessionBackend(Backend):
    """Runs everything on the connection of a session, inside its transaction, and commits nothing.

    Nothing is tried again by itself: after an error the transaction is good for nothing but a rollback.
    """

    locks = True

    def __init__(self, session: AsyncSession, connection: AsyncConnection, clock: Clock | None) -> None:
        """Work inside a session.

        Args:
            session: It is in a transaction.
            connection: Its connection.
            clock: Tells the time instead of the database.
        """
        self.engine = connection.sync_connection.engine if connection.sync_connection else session.get_bind().engine
        self.clock = clock
        self._session = session

    @property
    def database(self) -> AsyncEngine:
        return AsyncEngine(self.engine)

    async def read(self, work: Work[T]) -> T:
        return await self.run(work)

    async def snapshot(self, work: Work[T]) -> T:
        return await self.run(work)

    async def now(self) -> datetime:
        if self.clock is not None:
            return self.clock.now()
        query = select(self.moment())
        return await self.run(lambda connection: connection.execute(query).scalar_one())

    async def commit(self, writes: Sequence[Write]) -> list[Outcome]:
        return [await self.run(self.write(write)) for write in writes]

    @abstractmethod
    def write(self, write: Write) -> Work[WriteResult]:
        """What writes one transition if its conditions hold, and says why not otherwise."""

    def lease_keeper(self) -> LeaseKeeper:
        msg = "leases are kept outside of transactions; ask the store itself for its lease keeper"
        raise TypeError(msg)

    def notifier(self) -> StepExecutor:
        msg = "hints go out after a transaction; ask the store itself for its notifier"
        raise TypeError(msg)

    async def close(self) -> None:
        """Nothing is held that is not the session's."""

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run statements on the session's connection.

        Raises:
            TransactionAbortedError: Another transaction was in the way.
            StoreUnavailableError: The database raised another error.
        """
        try:
            connection = await self._session.connection()
            return await connection.run_sync(work)
        except DATABASE_ERRORS as error:
            raise error_in_transaction(error) from error


def error_in_transaction(error: BaseException) -> InfrastructureError:
    """The port's error for one of the database inside a transaction; raise it ``from`` that one."""
    return TransactionAbortedError(reason_of(error)) if fault_of(error) is Fault.CONTENTION else unavailable(error)
