"""Rules for every `Transactions`: what is written through a session is there with its commit, and gone with its rollback."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias

import pytest

from workflows_core.errors import SessionRefusedError
from workflows_core.ports.queries import WorkflowQueries
from workflows_core.ports.store import Committed, Conflict, DuplicateKey, Held, LeaseLost, StartKey, WorkflowStore
from workflows_core.ports.transactions import Transactions
from workflows_testing.builders import a_graph, an_instance
from workflows_testing.clock import ManualClock
from workflows_testing.conformance.contract import MovableClock, claim_one, commit, held_by, start

__all__ = ["CallerSession", "OpenSession", "TransactionsConformance"]


class CallerSession(Protocol):
    """What the rules do to a session themselves."""

    @abstractmethod
    async def commit(self) -> None:
        """Make durable what was written."""

    @abstractmethod
    async def rollback(self) -> None:
        """Take back what was written."""


OpenSession: TypeAlias = Callable[[], AbstractAsyncContextManager[CallerSession]]
"""Opens a session of the application's own; leaving it takes back what was not committed."""


class TransactionsConformance:
    """The suite; override the fixtures ``store``, ``queries`` and ``open_session``.

    Attributes:
        adapter: The class under test.
    """

    adapter: type

    @pytest.fixture
    def clock(self) -> MovableClock:
        """The time of the store."""
        return ManualClock()

    @pytest.fixture
    def store(self) -> WorkflowStore:
        """A store over the same data, empty."""
        msg = f"{type(self).__name__} must override the fixture `store`"
        raise TypeError(msg)

    @pytest.fixture
    def queries(self, store: WorkflowStore) -> WorkflowQueries:
        """The read side of the same data."""
        msg = f"{type(self).__name__} must override the fixture `queries`"
        raise TypeError(msg)

    @pytest.fixture
    def transactions(self, store: WorkflowStore) -> Transactions:
        """The transactions under test."""
        transactions = store.transactions
        assert transactions is not None, "the store has no transactions"
        return transactions

    @pytest.fixture
    def open_session(self) -> OpenSession:
        """Sessions of the application's own, over the same data."""
        msg = f"{type(self).__name__} must override the fixture `open_session`"
        raise TypeError(msg)

    # Sessions of the application's own

    async def test_what_a_session_writes_is_there_for_all_after_its_commit(
        self, store: WorkflowStore, transactions: Transactions, open_session: OpenSession
    ) -> None:
        run = an_instance()
        async with open_session() as session:
            inside = await transactions.join(session)
            await commit(inside.store, run.start())
            await session.commit()
        assert await store.load(run.id) is not None

    async def test_what_a_session_writes_is_seen_by_nobody_else_before_its_commit(
        self, store: WorkflowStore, queries: WorkflowQueries, transactions: Transactions, open_session: OpenSession
    ) -> None:
        run = an_instance()
        async with open_session() as session:
            inside = await transactions.join(session)
            await commit(inside.store, run.start())
            assert await store.load(run.id) is None
            assert await queries.get_instance(run.id) is None

    async def test_what_a_session_writes_is_gone_with_its_rollback(
        self, store: WorkflowStore, transactions: Transactions, open_session: OpenSession
    ) -> None:
        lost, kept = an_instance(), an_instance()
        async with open_session() as session:
            await commit((await transactions.join(session)).store, lost.start())
            await session.rollback()
            await commit((await transactions.join(session)).store, kept.start())
            await session.commit()
        assert await store.load(lost.id) is None
        assert await store.load(kept.id) is not None

    async def test_what_a_session_writes_is_gone_when_it_is_left_without_a_commit(
        self, store: WorkflowStore, transactions: Transactions, open_session: OpenSession
    ) -> None:
        run = an_instance()
        async with open_session() as session:
            await commit((await transactions.join(session)).store, run.start())
        assert await store.load(run.id) is None

    async def test_a_session_sees_what_it_wrote(self, transactions: Transactions, open_session: OpenSession) -> None:
        run = an_instance(a_graph())
        async with open_session() as session:
            inside = await transactions.join(session)
            await inside.store.publish([run.graph])
            await commit(inside.store, run.start())
            again = await transactions.join(session)
            loaded = await again.store.load(run.id)
            assert loaded is not None
            assert loaded.state == run.state
            assert await again.queries.get_instance(run.id) is not None
            assert await again.store.graph(run.graph.hash) == run.graph

    async def test_a_definition_is_kept_with_the_session(
        self, store: WorkflowStore, transactions: Transactions, open_session: OpenSession
    ) -> None:
        graph = a_graph(name="kept_in_a_session")
        async with open_session() as session:
            await (await transactions.join(session)).store.publish([graph])
            await session.rollback()
            assert await store.graph(graph.hash) is None
            await (await transactions.join(session)).store.publish([graph])
            await session.commit()
        assert await store.graph(graph.hash) == graph

    async def test_a_used_start_key_is_told_and_leaves_the_transaction_usable(
        self, store: WorkflowStore, transactions: Transactions, open_session: OpenSession
    ) -> None:
        first, second, third = an_instance(), an_instance(), an_instance()
        await commit(store, first.start(start_key=StartKey("order-1", "digest-1")))
        async with open_session() as session:
            inside = (await transactions.join(session)).store
            (result,) = await inside.commit([second.start(start_key=StartKey("order-1", "digest-2"))])
            assert result == DuplicateKey(first.id, "digest-1")
            await commit(inside, third.start(start_key=StartKey("order-2", "digest-3")))
            await session.commit()
        assert await store.load(second.id) is None
        assert await store.load(third.id) is not None

    async def test_a_start_key_used_in_the_session_itself_is_told(
        self, transactions: Transactions, open_session: OpenSession
    ) -> None:
        first, second = an_instance(), an_instance()
        async with open_session() as session:
            inside = (await transactions.join(session)).store
            await commit(inside, first.start(start_key=StartKey("order-1", "digest-1")))
            (result,) = await inside.commit([second.start(start_key=StartKey("order-1", "digest-1"))])
            assert result == DuplicateKey(first.id, "digest-1")

    async def test_a_write_from_an_old_revision_is_a_conflict_in_a_session_too(
        self, store: WorkflowStore, transactions: Transactions, open_session: OpenSession
    ) -> None:
        run = await start(store, an_instance())
        before = run.state
        await commit(store, run.complete("first"))
        run.state = before
        async with open_session() as session:
            inside = (await transactions.join(session)).store
            (result,) = await inside.commit([run.cancel()])
            assert isinstance(result, Conflict)
            await session.commit()

    async def test_a_write_under_an_old_fence_is_refused_in_a_session_too(
        self, store: WorkflowStore, transactions: Transactions, open_session: OpenSession
    ) -> None:
        run = await start(store, an_instance())
        claimed = await claim_one(store)
        stale = Held(claimed.item.number, claimed.fence - 1, "worker-1")
        before = run.state
        async with open_session() as session:
            inside = (await transactions.join(session)).store
            (result,) = await inside.commit([run.complete("first", held=stale)])
            assert isinstance(result, LeaseLost)
            run.state = before
            (result,) = await inside.commit([run.complete("first", held=held_by("worker-1", claimed))])
            assert isinstance(result, Committed)
            await session.commit()

    async def test_what_is_no_session_is_refused(self, transactions: Transactions) -> None:
        with pytest.raises(SessionRefusedError):
            await transactions.join(object())

    # What follows from a commit

    async def test_what_follows_from_a_commit_is_done_once_and_after_it(
        self, transactions: Transactions, open_session: OpenSession
    ) -> None:
        done: list[str] = []
        async with transactions.begin() as session:
            (await transactions.join(session)).after_commit(_noting(done, "first"))
            (await transactions.join(session)).after_commit(_noting(done, "second"))
            await session.commit()
            assert done == []
        assert done == ["first", "second"]
        async with open_session() as own:
            (await transactions.join(own)).after_commit(_noting(done, "third"))
            assert done == ["first", "second"]

    async def test_what_would_follow_from_a_commit_is_not_done_after_a_rollback(
        self, transactions: Transactions
    ) -> None:
        done: list[str] = []

        async def leave_by_an_error() -> None:
            async with transactions.begin() as session:
                (await transactions.join(session)).after_commit(_noting(done, "first"))
                await session.commit()
                raise _LeftError

        with pytest.raises(_LeftError):
            await leave_by_an_error()
        async with transactions.begin() as session:
            (await transactions.join(session)).after_commit(_noting(done, "second"))
            await session.rollback()
            (await transactions.join(session)).after_commit(_noting(done, "third"))
        assert done == ["third"]

    # Transactions of steps

    async def test_a_transaction_is_committed_when_it_is_left(
        self, store: WorkflowStore, transactions: Transactions
    ) -> None:
        run = an_instance()
        async with transactions.begin() as session:
            await commit((await transactions.join(session)).store, run.start())
            assert await store.load(run.id) is None
        assert await store.load(run.id) is not None

    async def test_a_transaction_is_rolled_back_when_it_is_left_by_an_error(
        self, store: WorkflowStore, transactions: Transactions
    ) -> None:
        run = an_instance()

        async def leave_by_an_error() -> None:
            async with transactions.begin() as session:
                await commit((await transactions.join(session)).store, run.start())
                await transactions.settle(session)
                await session.commit()
                raise _LeftError

        with pytest.raises(_LeftError):
            await leave_by_an_error()
        assert await store.load(run.id) is None

    async def test_a_commit_of_its_session_ends_no_transaction(
        self, store: WorkflowStore, transactions: Transactions
    ) -> None:
        first, second = an_instance(), an_instance()
        async with transactions.begin() as session:
            await commit((await transactions.join(session)).store, first.start())
            await session.commit()
            assert await store.load(first.id) is None
            await commit((await transactions.join(session)).store, second.start())
        assert await store.load(first.id) is not None
        assert await store.load(second.id) is not None

    async def test_a_rollback_of_its_session_undoes_what_came_after_its_last_commit(
        self, store: WorkflowStore, transactions: Transactions
    ) -> None:
        kept, undone, later = an_instance(), an_instance(), an_instance()
        async with transactions.begin() as session:
            await commit((await transactions.join(session)).store, kept.start())
            await session.commit()
            await commit((await transactions.join(session)).store, undone.start())
            await session.rollback()
            await commit((await transactions.join(session)).store, later.start())
        assert await store.load(kept.id) is not None
        assert await store.load(undone.id) is None
        assert await store.load(later.id) is not None

    async def test_what_was_settled_stays_whatever_the_session_does_later(
        self, store: WorkflowStore, transactions: Transactions
    ) -> None:
        run = an_instance()
        async with transactions.begin() as session:
            await commit((await transactions.join(session)).store, run.start())
            await transactions.settle(session)
            await session.rollback()
        assert await store.load(run.id) is not None

    async def test_transactions_follow_each_other(self, store: WorkflowStore, transactions: Transactions) -> None:
        runs = [an_instance() for _ in range(5)]
        for run in runs:
            async with transactions.begin() as session:
                await commit((await transactions.join(session)).store, run.start())
        assert [await store.load(run.id) is not None for run in runs] == [True] * 5

    async def test_a_transaction_may_be_open_for_some_time(self, transactions: Transactions) -> None:
        assert transactions.longest_s is None or transactions.longest_s > 0

    async def test_an_error_of_the_application_is_not_transient(self, transactions: Transactions) -> None:
        assert not transactions.is_transient(ValueError("no money"))


class _LeftError(Exception):
    """Leaves a transaction."""


def _noting(done: list[str], name: str) -> Callable[[], Coroutine[None, None, None]]:
    async def note() -> None:
        done.append(name)

    return note
