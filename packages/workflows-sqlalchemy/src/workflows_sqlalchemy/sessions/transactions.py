"""The port of transactions, over `AsyncSession`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar
from weakref import WeakSet

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, InvalidRequestError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, AsyncTransaction, async_scoped_session

from workflows_core.errors import SessionRefusedError
from workflows_core.ports.transactions import Joined, Transactions
from workflows_sqlalchemy.backend import persistently
from workflows_sqlalchemy.errors import DATABASE_ERRORS, Fault, fault_of, is_dead_connection
from workflows_sqlalchemy.queries import SQLAlchemyWorkflowQueries
from workflows_sqlalchemy.sessions.callbacks import Action, Callbacks
from workflows_sqlalchemy.sessions.sharing import Sharing, error_in_transaction
from workflows_sqlalchemy.store import SQLAlchemyWorkflowStore

__all__ = ["SQLAlchemyTransactions"]

T = TypeVar("T")

logger = logging.getLogger(__name__)

_OURS: Final = "workflows.transaction"


class SQLAlchemyTransactions(Transactions):
    """Transactions that are shared through an `AsyncSession`; ``store.transactions`` of a store.

    Args:
        sharing: The database.
    """

    def __init__(self, sharing: Sharing) -> None:
        self._sharing = sharing
        self._known: WeakSet[Engine] = WeakSet()
        self._background: set[asyncio.Task[None]] = set()

    @property
    def longest_s(self) -> float | None:
        return self._sharing.longest_s

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncSession]:
        actions: list[Action] = []
        async with self._sharing.turn():
            connection, transaction = await persistently(self._begun)
            session = AsyncSession(connection, join_transaction_mode="create_savepoint", expire_on_commit=False)
            session.info[_OURS] = transaction
            Callbacks(session.sync_session, actions.extend)
            try:
                yield session
                await _to_its_end(self._commit(session, transaction))
            finally:
                await _to_its_end(_give_back(session, connection))
        for action in actions:
            await action()

    async def settle(self, session: AsyncSession) -> None:
        transaction: AsyncTransaction = session.info[_OURS]
        if not transaction.is_active:
            mend = "commit and roll back the session, never its connection"
            raise SessionRefusedError("the transaction around it was ended", mend)
        await session.commit()

    async def join(self, session: Any) -> Joined:
        if isinstance(session, async_scoped_session):
            session = session()
        if not isinstance(session, AsyncSession):
            mend = "give an AsyncSession of SQLAlchemy"
            raise SessionRefusedError(f"it is a {type(session).__name__}", mend)
        connection = await self._enter(session)
        backend = self._sharing.backend(session, connection)
        inner = session.sync_session
        callbacks = Callbacks.of(inner) or Callbacks(inner, self._start)
        return Joined(
            SQLAlchemyWorkflowStore(backend),
            SQLAlchemyWorkflowQueries(backend),
            lambda action: callbacks.add(inner, action),
        )

    def is_transient(self, error: BaseException) -> bool:
        return isinstance(error, DBAPIError) and (fault_of(error) is Fault.CONTENTION or is_dead_connection(error))

    async def close(self) -> None:
        """Let what follows from commits come to its end, then give back connections."""
        while self._background:
            await asyncio.wait(self._background)
        await self._sharing.close()

    async def _begun(self) -> tuple[AsyncConnection, AsyncTransaction]:
        connection = await self._sharing.engine().connect()
        try:
            transaction = await connection.begin()
            await self._sharing.enter(connection)
        except BaseException:
            await _to_its_end(connection.close())
            raise
        return connection, transaction

    async def _commit(self, session: AsyncSession, transaction: AsyncTransaction) -> None:
        try:
            await session.commit()
            await session.close()
            await transaction.commit()
        except DATABASE_ERRORS as error:
            # SQLite goes on with a transaction whose commit it refused, and SQLAlchemy takes it to be over.
            await transaction.connection.invalidate()
            if isinstance(error, DBAPIError) and fault_of(error) in {Fault.REFUSED, Fault.OTHER}:
                raise  # said of what was written
            raise error_in_transaction(error) from error

    async def _enter(self, session: AsyncSession) -> AsyncConnection:
        """Begin the session's transaction if it has not begun, and check where it leads."""
        try:
            connection = await session.connection()
        except InvalidRequestError as error:  # it has no engine, or its transaction has failed
            raise SessionRefusedError(str(error).partition("\n")[0], "give one that can be used") from error
        except DATABASE_ERRORS as error:
            raise error_in_transaction(error) from error
        if connection.dialect.name != self._sharing.dialect:
            reason = f"it leads to a database of the kind {connection.dialect.name!r}, the store to {self._sharing.dialect!r}"
            raise SessionRefusedError(reason, "give one of the store's database")
        if _OURS not in session.info:
            try:
                await self._check(connection)
            except DATABASE_ERRORS as error:
                raise error_in_transaction(error) from error
        return connection

    async def _check(self, connection: AsyncConnection) -> None:
        engine = connection.sync_engine
        if engine not in self._known:
            await self._sharing.check_place(connection)
            self._sharing.watch(engine)
            self._known.add(engine)
        await self._sharing.enter(connection)

    def _start(self, actions: Sequence[Action]) -> None:
        """Call actions in the background: the session that was committed waits for nobody."""
        if actions:
            task = asyncio.get_running_loop().create_task(_call(actions))
            self._background.add(task)
            task.add_done_callback(self._background.discard)


async def _call(actions: Sequence[Action]) -> None:
    for action in actions:
        try:
            await action()
        except Exception:
            logger.exception("what follows from a commit was not done")


async def _give_back(session: AsyncSession, connection: AsyncConnection) -> None:
    """Give back the connection; what was not committed is rolled back by it."""
    try:
        await session.close()
    except SQLAlchemyError:
        logger.debug("a session was lost with its connection", exc_info=True)
    finally:
        await connection.close()


async def _to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Wait for something to end also if the waiting task is cancelled meanwhile."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled() and task.exception() is not None:
            logger.debug("an error beside a cancellation", exc_info=task.exception())
        raise
