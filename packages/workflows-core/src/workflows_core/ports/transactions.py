"""Port: transactions of a store that the application's own writes share.

A session is what the application writes through: a value that the core passes on and never looks into. The adapter gives it its type.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from workflows_core.ports.queries import WorkflowQueries
    from workflows_core.ports.store import WorkflowStore

__all__ = ["Joined", "Transactions"]


@dataclass(frozen=True, slots=True)
class Joined:
    """Both sides of a store, inside the transaction of a session.

    What is written through them is seen by them at once, by everybody else when the session has been committed, and by nobody if it
    is rolled back. They raise `TransactionAbortedError` when the database gives the transaction up in favour of another one.

    Attributes:
        store: Its ``commit`` checks fences, revisions and start keys as ever; what it refuses leaves the transaction usable. Its
            ``load`` may keep the instance from being changed by others until the transaction ends.
        queries: Lists and look-ups.
        after_commit: Takes what is to be called once when the transaction has been committed; it is forgotten if the transaction, or
            the savepoint inside which it was given, is rolled back.
    """

    store: WorkflowStore
    queries: WorkflowQueries
    after_commit: Callable[[Callable[[], Awaitable[None]]], None]


class Transactions(Protocol):
    """Begins transactions that a step shares with the record of its result, and joins those of the application."""

    @property
    @abstractmethod
    def longest_s(self) -> float | None:
        """Seconds for which a transaction of `begin` may stay open, because all others wait for it; None if they do not."""

    @abstractmethod
    def begin(self) -> AbstractAsyncContextManager[Any]:
        """Begin a transaction and give a session in it.

        The owner of the session may commit it and roll it back as he likes: the former ends nothing, the latter undoes what he wrote
        since his last commit. The transaction is committed when the block is left, and rolled back when it is left by an error; its
        connection is given back either way. What was given to `Joined.after_commit` has been called when the block has been left.

        Raises:
            TransactionAbortedError: The database gave the transaction up in favour of another one; nothing of it remains.
            StoreUnavailableError: The store cannot be reached. If it was raised by the commit, the outcome is unknown.
            Exception: What the database says in the commit against what was written, a deferred constraint for instance; nothing of
                it remains.
        """

    @abstractmethod
    async def settle(self, session: Any) -> None:
        """Send what a session of `begin` holds back to the database, and keep it whatever the session's owner does later.

        Raises:
            Exception: What the database says against it.
        """

    @abstractmethod
    async def join(self, session: Any) -> Joined:
        """Both sides of the store, inside the transaction of a session: of one of `begin`, or of the application's own.

        Raises:
            SessionRefusedError: The session is not one, or leads to something else than this store.
        """

    @abstractmethod
    def is_transient(self, error: BaseException) -> bool:
        """Whether an error that came out of a session is nobody's fault: another transaction was in the way, or the connection broke."""
