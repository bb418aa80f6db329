"""Committing transitions inside a transaction of somebody else: what follows from them is passed on when that is committed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from workflows_core.domain.transition import Transition
from workflows_core.engine.commits import Commits
from workflows_core.engine.folds import Decision
from workflows_core.errors import TransactionsNotSupportedError
from workflows_core.ports.ids import IdGenerator
from workflows_core.ports.store import Committed, Held, StartKey, WorkflowStore, Write, WriteResult
from workflows_core.ports.transactions import Joined, Transactions

__all__ = ["CommitsTransitions", "JoinedCommits", "transactions_of"]


def transactions_of(store: WorkflowStore) -> Transactions:
    """The transactions of a store.

    Raises:
        TransactionsNotSupportedError: It has none.
    """
    transactions = store.transactions
    if transactions is None:
        raise TransactionsNotSupportedError(type(store).__name__)
    return transactions


class CommitsTransitions(Protocol):
    """What use cases need to change an instance."""

    @abstractmethod
    async def commit(
        self,
        transition: Transition,
        *,
        held: Held | None = None,
        take: tuple[int, ...] = (),
        lease_s: float = 0.0,
        start_key: StartKey | None = None,
        worker: str = "",
    ) -> WriteResult:
        """Commit one transition, see `Commits.commit`."""

    @abstractmethod
    async def decide(self, decision: Decision) -> WriteResult:
        """Decide and commit, see `Commits.decide`."""


class JoinedCommits(CommitsTransitions):
    """Writes transitions into a transaction that somebody else commits.

    Attributes:
        store: The store inside that transaction.
        last: The last write that was accepted; None before the first.
    """

    def __init__(self, joined: Joined, commits: Commits, ids: IdGenerator) -> None:
        """Wire it.

        Args:
            joined: The inside of the transaction.
            commits: Passes on what follows, after the commit.
            ids: Gives transitions their identity.
        """
        self.store = joined.store
        self.last: Write | None = None
        self._joined = joined
        self._commits = commits
        self._ids = ids
        self._untold: list[Callable[[], Awaitable[None]]] = []

    async def commit(
        self,
        transition: Transition,
        *,
        held: Held | None = None,
        take: tuple[int, ...] = (),
        lease_s: float = 0.0,
        start_key: StartKey | None = None,
        worker: str = "",
    ) -> WriteResult:
        """Write one transition; it is durable when the transaction is committed.

        Raises:
            TransactionAbortedError: The database gave the transaction up.
            StoreUnavailableError: The store does not answer; the transaction cannot be committed any more.
        """
        write = Write(
            id=self._ids.new(),
            transition=transition,
            held=held,
            take=take,
            worker=held.worker if held is not None else worker,
            lease_s=lease_s,
            start_key=start_key,
        )
        result = (await self.store.commit((write,)))[0]
        if isinstance(result, Committed):
            self.last = write
            self._untold.append(partial(self._commits.pass_on, transition, result, take))
            self._joined.after_commit(self.tell)
        return result

    async def decide(self, decision: Decision) -> WriteResult:
        """Decide and write, nothing else with it: that does not belong into the transaction of somebody else."""
        decision.decide(decision.seen)
        return await self.commit(decision.transition, held=decision.held, take=decision.take, lease_s=decision.lease_s)

    async def tell(self) -> None:
        """Pass on what follows from the transitions, once; to be called when they are durable."""
        while self._untold:
            await self._untold.pop(0)()
