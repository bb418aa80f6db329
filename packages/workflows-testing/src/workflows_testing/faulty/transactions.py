"""Faults of transactions."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from msgspec.structs import replace

from workflows_core.adapters.memory import InMemoryWorkflowQueries, InMemoryWorkflowStore, MemoryState
from workflows_core.ports.store import Committed, Write, WriteResult
from workflows_core.ports.transactions import Joined, Transactions
from workflows_testing.clock import ManualClock
from workflows_testing.conformance.transactions import TransactionsConformance
from workflows_testing.faulty.copied_memory import CopiedMemory, CopyingSession, StoreWithTransactions, call
from workflows_testing.faulty.fault import ChangesWrites, Fault
from workflows_testing.faulty.rewriting import at_current_revision

__all__ = ["FAULTS", "SOUND"]


class CommitsEachCall(CopiedMemory):
    """A call inside a session is a transaction of its own."""

    async def join(self, session: Any) -> Joined:
        joined = await super().join(session)
        return Joined(InMemoryWorkflowStore(self.memory), InMemoryWorkflowQueries(self.memory), joined.after_commit)


class SeesOnlyWhatIsCommitted(CopiedMemory):
    async def join(self, session: Any) -> Joined:
        joined = await super().join(session)
        store = _ReadsElsewhere(joined.store.memory, self.memory)  # type: ignore[attr-defined]
        return Joined(store, InMemoryWorkflowQueries(self.memory), joined.after_commit)


class _ReadsElsewhere(InMemoryWorkflowStore):
    __slots__ = ("_other",)

    def __init__(self, memory: MemoryState, other: MemoryState) -> None:
        super().__init__(memory)
        self._other = InMemoryWorkflowStore(other)

    async def load(self, *arguments: Any, **options: Any) -> Any:
        return await self._other.load(*arguments, **options)


class ChangesWhatIsWritten(CopiedMemory):
    """What is written inside a session is something else."""

    def __init__(self, memory: MemoryState, change: Callable[[MemoryState, Write], Write]) -> None:
        super().__init__(memory)
        self._change = change

    async def join(self, session: Any) -> Joined:
        joined = await super().join(session)
        store = ChangesWrites(joined.store.memory, self._change)  # type: ignore[attr-defined]
        return Joined(store, joined.queries, joined.after_commit)


class IsUselessAfterARefusal(CopiedMemory):
    """A refused write aborts the whole transaction, as a violated constraint does."""

    async def join(self, session: Any) -> Joined:
        joined = await super().join(session)
        return Joined(_Aborts(joined.store.memory), joined.queries, joined.after_commit)  # type: ignore[attr-defined]


class _Aborts(InMemoryWorkflowStore):
    __slots__ = ("_is_aborted",)

    def __init__(self, memory: MemoryState) -> None:
        super().__init__(memory)
        self._is_aborted = False

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        if self._is_aborted:
            msg = "the transaction is aborted"
            raise AssertionError(msg)
        results = await super().commit(writes)
        self._is_aborted = any(not isinstance(result, Committed) for result in results)
        return results


class TakesAnything(CopiedMemory):
    async def join(self, session: Any) -> Joined:
        known = session if isinstance(session, CopyingSession) else CopyingSession(self.memory, call)
        return await super().join(known)


class TellsAtOnce(CopiedMemory):
    async def join(self, session: Any) -> Joined:
        joined = await super().join(session)
        return Joined(joined.store, joined.queries, _run)


def _run(action: Callable[[], Any]) -> None:
    try:
        action().send(None)
    except StopIteration:
        return


class NeverTells(CopiedMemory):
    async def join(self, session: Any) -> Joined:
        joined = await super().join(session)
        return Joined(joined.store, joined.queries, lambda _action: None)


class TellsWhateverBecomesOfIt(CopiedMemory):
    def __init__(self, memory: MemoryState) -> None:
        super().__init__(memory)
        self._actions: list[Any] = []

    async def join(self, session: Any) -> Joined:
        joined = await super().join(session)
        return Joined(joined.store, joined.queries, self._actions.append)

    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[CopyingSession]:
        try:
            async with super().begin() as session:
                yield session
        finally:
            await call(self._actions)


class CommitsAlsoAfterErrors(CopiedMemory):
    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[CopyingSession]:
        session = CopyingSession(self.memory, call)
        try:
            yield session
        finally:
            await session.commit()


class NeverCommits(CopiedMemory):
    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[CopyingSession]:
        yield CopyingSession(self.memory, call)

    @asynccontextmanager
    async def open_session(self) -> AsyncGenerator[CopyingSession]:
        elsewhere = CopiedMemory(MemoryState(self.memory.clock))
        async with elsewhere.open_session() as session:
            yield session


class LetsTheSessionEndTheTransaction(CopiedMemory):
    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[CopyingSession]:
        session = CopyingSession(self.memory, call)
        yield session
        await session.commit()


class IgnoresRollbacks(CopiedMemory):
    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[CopyingSession]:
        async with super().begin() as session:
            session.rollback = _nothing  # type: ignore[method-assign]
            yield session


async def _nothing() -> None:
    return


class SettlesNothing(CopiedMemory):
    async def settle(self, session: Any) -> None:
        return


class LeavesNoTime(CopiedMemory):
    @property
    def longest_s(self) -> float | None:
        return 0.0


class BlamesOthers(CopiedMemory):
    def is_transient(self, error: BaseException) -> bool:
        return True


class LosesWhatCameBefore(CopiedMemory):
    """Each transaction begins with what the first one began with."""

    def __init__(self, memory: MemoryState) -> None:
        super().__init__(memory)
        self._first: CopyingSession | None = None

    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[CopyingSession]:
        first = self._first = self._first or CopyingSession(self.memory, call)
        session = CopyingSession(first.inside, call)
        yield session
        session.outside = self.memory
        await session.commit()


def _without_key(_memory: MemoryState, write: Write) -> Write:
    return replace(write, start_key=None)


def _without_fence(_memory: MemoryState, write: Write) -> Write:
    return replace(write, held=None)


def _fault(make: Callable[[MemoryState], CopiedMemory], name: str, *, crashes: bool = False) -> Fault:
    def build(clock: ManualClock) -> Mapping[str, Any]:
        transactions = make(MemoryState(clock))
        store = StoreWithTransactions(transactions)
        offered: Transactions = transactions
        return {
            "store": store,
            "queries": InMemoryWorkflowQueries(store.memory),
            "transactions": offered,
            "open_session": transactions.open_session,
        }

    return Fault(name, (TransactionsConformance,), build, crashes)


SOUND: Final = _fault(CopiedMemory, "is sound")

FAULTS: Final[tuple[Fault, ...]] = (
    _fault(CommitsEachCall, "commits each call inside a session by itself"),
    _fault(SeesOnlyWhatIsCommitted, "reads outside the session"),
    _fault(lambda memory: ChangesWhatIsWritten(memory, _without_key), "forgets start keys inside a session"),
    _fault(lambda memory: ChangesWhatIsWritten(memory, _without_fence), "asks for no fence inside a session"),
    _fault(lambda memory: ChangesWhatIsWritten(memory, at_current_revision), "asks for no revision inside a session"),
    _fault(IsUselessAfterARefusal, "cannot go on after a refusal", crashes=True),
    _fault(TakesAnything, "takes anything for a session"),
    _fault(TellsAtOnce, "does not wait for the commit"),
    _fault(NeverTells, "forgets what is to follow from a commit"),
    _fault(TellsWhateverBecomesOfIt, "does what follows from a commit also after a rollback"),
    _fault(CommitsAlsoAfterErrors, "commits also after an error"),
    _fault(NeverCommits, "never commits"),
    _fault(LetsTheSessionEndTheTransaction, "lets a session end its transaction"),
    _fault(IgnoresRollbacks, "ignores rollbacks of a session"),
    _fault(SettlesNothing, "settles nothing"),
    _fault(LeavesNoTime, "leaves no time to a transaction"),
    _fault(BlamesOthers, "takes every error for somebody else's"),
    _fault(LosesWhatCameBefore, "begins each transaction where the first began"),
)
