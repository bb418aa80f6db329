"""Transactions of the memory store by copying all of it: too slow and too simple for anything but proving rules.

They are sound as long as nobody else writes while one is open.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from copy import deepcopy
from typing import Any

from workflows_core.adapters.memory import InMemoryWorkflowQueries, InMemoryWorkflowStore, MemoryState
from workflows_core.errors import SessionRefusedError
from workflows_core.ports.transactions import Joined, Transactions

__all__ = ["CopiedMemory", "CopyingSession", "StoreWithTransactions"]

Action = Callable[[], Awaitable[None]]

_KEPT = ("backlog", "graphs", "instances", "start_keys", "tasks")


def _copy(memory: MemoryState) -> MemoryState:
    copied = MemoryState(memory.clock)
    # All at once, because rows refer to each other.
    for name, value in zip(_KEPT, deepcopy(tuple(getattr(memory, name) for name in _KEPT)), strict=True):
        setattr(copied, name, value)
    return copied


def _overwrite(memory: MemoryState, other: MemoryState) -> None:
    source = _copy(other)
    for name in _KEPT:
        setattr(memory, name, getattr(source, name))


class CopyingSession:
    """Writes into a copy of a memory, which the commit puts into its place."""

    def __init__(self, memory: MemoryState, deliver: Callable[[list[Action]], Awaitable[None]]) -> None:
        self.outside = memory
        self.inside = _copy(memory)
        self.actions: list[Action] = []
        self._deliver = deliver

    async def commit(self) -> None:
        _overwrite(self.outside, self.inside)
        actions, self.actions = self.actions, []
        await self._deliver(actions)

    async def rollback(self) -> None:
        _overwrite(self.inside, self.outside)
        self.actions.clear()


class CopiedMemory(Transactions):
    """Transactions of one memory."""

    def __init__(self, memory: MemoryState) -> None:
        self.memory = memory

    @property
    def longest_s(self) -> float | None:
        return None

    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[CopyingSession]:
        whole = CopyingSession(self.memory, call)

        async def keep(actions: list[Action]) -> None:
            whole.actions += actions

        session = CopyingSession(whole.inside, keep)
        yield session
        await session.commit()
        await whole.commit()

    async def settle(self, session: Any) -> None:
        await session.commit()

    async def join(self, session: Any) -> Joined:
        if not isinstance(session, CopyingSession):
            raise SessionRefusedError(f"it is a {type(session).__name__}", "give a session of this memory")
        memory = session.inside
        return Joined(InMemoryWorkflowStore(memory), InMemoryWorkflowQueries(memory), session.actions.append)

    def is_transient(self, error: BaseException) -> bool:
        return False

    @asynccontextmanager
    async def open_session(self) -> AsyncGenerator[CopyingSession]:
        """A session of the application's own."""
        yield CopyingSession(self.memory, call)


class StoreWithTransactions(InMemoryWorkflowStore):
    """The memory store with transactions."""

    __slots__ = ("_transactions",)

    def __init__(self, transactions: CopiedMemory) -> None:
        super().__init__(transactions.memory)
        self._transactions = transactions

    @property
    def transactions(self) -> Transactions:
        return self._transactions


async def call(actions: list[Action]) -> None:
    """Call actions one after the other."""
    for action in actions:
        await action()
