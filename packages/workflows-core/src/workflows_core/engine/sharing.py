"""Transactional steps: what the code of a step writes and the record of its result are one transaction."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic, TypeVar

from workflows_core.authoring.context import WorkflowContext
from workflows_core.domain.commands import Command
from workflows_core.engine.commits import Commits
from workflows_core.engine.joining import JoinedCommits, transactions_of
from workflows_core.errors import (
    PayloadError,
    ReducerError,
    StoreUnavailableError,
    TransactionAbortedError,
    TransactionError,
    TransactionTimeoutError,
)
from workflows_core.ports.ids import IdGenerator
from workflows_core.ports.store import WorkflowStore
from workflows_core.ports.transactions import Transactions

__all__ = ["Share", "SharedTransactions"]

T = TypeVar("T")

Work = Callable[["Share"], Awaitable[Command | None]]
Fail = Callable[[BaseException, WorkflowContext | None], Awaitable[Command | None]]
Advance = Callable[[Command | None, JoinedCommits | None], Awaitable[T | None]]

_TRIES: Final = 10
_LONGEST_PAUSE_S: Final = 0.2


class _UndoneError(Exception):
    """Leaves a transaction, so that it is rolled back."""

    def __init__(self, cause: BaseException | None) -> None:
        super().__init__()
        self.cause = cause


class Share:
    """The part of one attempt of a step in a transaction.

    Attributes:
        session: What the step writes through.
        context: The context of the attempt, as soon as there is one.
    """

    def __init__(self, session: Any, transactions: Transactions, *, is_last: bool) -> None:
        """Take part.

        Args:
            session: What the step writes through.
            transactions: Where it comes from.
            is_last: Whether an error fails the step also if it is nobody's fault.
        """
        self.session = session
        self.context: WorkflowContext | None = None
        self._transactions = transactions
        self._is_last = is_last

    async def settle(self) -> None:
        """Keep what the step wrote; called when its code has ended well."""
        await self._transactions.settle(self.session)

    def undo(self, error: BaseException) -> None:
        """Give up the attempt because of an error of its code; never returns.

        Raises:
            TransactionAbortedError: It is nobody's fault; the step is to be tried again.
        """
        is_transient = isinstance(error, TransactionAbortedError) or self._transactions.is_transient(error)
        if is_transient and not self._is_last:
            raise TransactionAbortedError(str(error)) from error
        raise _UndoneError(error)


class SharedTransactions:
    """Runs transactional steps."""

    def __init__(self, store: WorkflowStore, commits: Commits, ids: IdGenerator) -> None:
        self._store = store
        self._commits = commits
        self._ids = ids

    async def run(self, step: str, *, work: Work, fail: Fail, advance: Advance[T]) -> T | None:
        """Run a step and commit what follows from it.

        What the step wrote is kept if and only if its success is recorded. A failure is recorded afterwards, by itself. When another
        transaction was in the way, the step runs again, a few times.

        Args:
            step: Name of the step.
            work: Runs the code.
            fail: Makes the command that says that the code failed.
            advance: Commits what follows from a command: inside the transaction, or by itself.

        Returns:
            What ``advance`` gave.

        Raises:
            TransactionAbortedError: Others were in the way of its record each time.
            StoreUnavailableError: The store does not answer.
        """
        try:
            transactions = transactions_of(self._store)
        except TransactionError as error:
            return await advance(await fail(error, None), None)
        for attempt in range(1, _TRIES + 1):
            try:
                return await self._attempt(transactions, step, work, fail, advance, is_last=attempt == _TRIES)
            except TransactionAbortedError:
                if attempt == _TRIES:
                    raise
            await asyncio.sleep(random.uniform(0.0, min(0.01 * 2**attempt, _LONGEST_PAUSE_S)))  # noqa: S311 - not a secret
        return None

    async def _attempt(
        self,
        transactions: Transactions,
        step: str,
        work: Work,
        fail: Fail,
        advance: Advance[T],
        *,
        is_last: bool,
    ) -> T | None:
        attempt = _Attempt[T](is_last=is_last)
        try:
            return await self._share(transactions, step, work, advance, attempt)
        except TransactionAbortedError:
            raise
        except StoreUnavailableError:
            inside = attempt.inside
            if inside is None or inside.last is None or await self._store.committed(inside.last) is None:
                raise
            await inside.tell()
            return attempt.following
        except Exception as error:  # noqa: BLE001 - sorted out there
            cause = attempt.cause_of(error)
        if cause is None:
            return None
        context = None if attempt.share is None else attempt.share.context
        if context is not None:
            context.end_session()
        return await advance(await fail(cause, context), None)

    async def _share(
        self, transactions: Transactions, step: str, work: Work, advance: Advance[T], attempt: _Attempt[T]
    ) -> T | None:
        async with transactions.begin() as session:
            attempt.share = Share(session, transactions, is_last=attempt.is_last)
            command = await _in_time(work(attempt.share), step, transactions.longest_s)
            if command is None:
                raise _UndoneError(None)
            attempt.inside = JoinedCommits(await transactions.join(session), self._commits, self._ids)
            following = attempt.following = await advance(command, attempt.inside)
            if not attempt.is_written:
                raise _UndoneError(None)
        return following


class _Attempt(Generic[T]):
    """How far an attempt has come.

    Attributes:
        share: Its part in a transaction, as soon as that is open.
        inside: What its result is written through, as soon as there is one.
        following: What the worker goes on with when the transaction has been committed.
        is_last: Whether there will be no other.
    """

    def __init__(self, *, is_last: bool) -> None:
        self.is_last = is_last
        self.share: Share | None = None
        self.inside: JoinedCommits | None = None
        self.following: T | None = None

    @property
    def is_written(self) -> bool:
        """Whether only the commit is wanting."""
        return self.inside is not None and self.inside.last is not None

    def cause_of(self, error: Exception) -> BaseException | None:
        """Why the step failed, after its transaction was left by an error; None if its result is not wanted.

        Raises:
            Exception: The error itself, if it has nothing to do with what the step did.
        """
        if isinstance(error, _UndoneError):
            return error.cause
        refused_by_rules = isinstance(error, TransactionTimeoutError | ReducerError | PayloadError)
        if refused_by_rules or self.is_written:  # else by the commit, because of what the step wrote
            return error
        raise error


async def _in_time(work: Awaitable[T], step: str, longest_s: float | None) -> T:
    limit = asyncio.timeout(longest_s)
    try:
        async with limit:
            return await work
    except TimeoutError:
        if longest_s is None or not limit.expired():
            raise
        raise TransactionTimeoutError(step, longest_s) from None
