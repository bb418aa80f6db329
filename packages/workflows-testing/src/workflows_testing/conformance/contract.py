"""What the suites of the store and of the queries ask of an adapter's test class."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, Protocol

import pytest

from workflows_core.ports.clock import Clock
from workflows_core.ports.executor import WorkRef
from workflows_core.ports.queries import WorkflowQueries
from workflows_core.ports.store import (
    Claim,
    ClaimRequest,
    Committed,
    Conflict,
    DuplicateKey,
    Held,
    LeaseLost,
    Loaded,
    WorkflowStore,
    Write,
)
from workflows_testing.builders import Run, an_instance, with_work
from workflows_testing.clock import ManualClock

__all__ = [
    "MovableClock",
    "StoreContract",
    "claim",
    "claim_one",
    "commit",
    "commit_all",
    "has_due",
    "held_by",
    "load",
    "refused",
    "seconds",
    "start",
    "start_limited",
]


class MovableClock(Clock, Protocol):
    """A clock that the test moves."""

    @abstractmethod
    def advance(self, delta: timedelta) -> datetime:
        """Move forward; gives the new time."""


class StoreContract:
    """The fixtures that the rules ask for.

    Attributes:
        adapter: The class under test.
    """

    adapter: type

    @pytest.fixture
    def clock(self) -> MovableClock:
        """The time of the store."""
        return ManualClock()

    @pytest.fixture
    def store(self, clock: MovableClock) -> WorkflowStore:
        """The store under test, empty and bound to the clock."""
        msg = f"{type(self).__name__} must override the fixture `store`; see workflows_testing.conformance"
        raise TypeError(msg)

    @pytest.fixture
    def peer(self, store: WorkflowStore) -> WorkflowStore:
        """Another store object over the same data, as another process would have."""
        return store

    @pytest.fixture
    def queries(self, store: WorkflowStore) -> WorkflowQueries:
        """The read side of the same data."""
        msg = f"{type(self).__name__} must override the fixture `queries`; see workflows_testing.conformance"
        raise TypeError(msg)


def seconds(number: float) -> timedelta:
    """A span of time."""
    return timedelta(seconds=number)


async def commit(store: WorkflowStore, write: Write) -> Committed:
    """Commit one write that must be accepted."""
    (result,) = await store.commit([write])
    assert isinstance(result, Committed), f"a valid write was refused: {result}"
    return result


async def refused(store: WorkflowStore, write: Write) -> Conflict | DuplicateKey | LeaseLost:
    """Try to commit one write that must be refused."""
    (result,) = await store.commit([write])
    assert not isinstance(result, Committed), "a write was committed that must be refused"
    return result


async def commit_all(store: WorkflowStore, writes: Iterable[Write]) -> None:
    """Commit writes of one or several instances one after the other; all must be accepted."""
    for write in writes:
        await commit(store, write)


async def start(store: WorkflowStore, run: Run) -> Run:
    """Publish the graph of an instance and start it."""
    await store.publish([run.graph])
    await commit(store, run.start())
    return run


async def start_limited(store: WorkflowStore, run: Run | None = None, **changes: Any) -> Run:
    """Start an instance whose first work is to be done within 60 seconds, with further changes of its work items."""
    started = run or an_instance()
    await store.publish([started.graph])
    await commit(store, with_work(started.start(), **{"timeout_s": 60.0, **changes}))
    return started


async def load(store: WorkflowStore, run: Run, *, scopes: Collection[int] = (), all_items: bool = False) -> Loaded:
    """Read an instance that must be there."""
    loaded = await store.load(run.id, scopes=scopes, all_items=all_items)
    assert loaded is not None, "an instance that was committed cannot be read"
    return loaded


async def claim(
    store: WorkflowStore,
    worker: str = "worker-1",
    *,
    limit: int = 10,
    lease_s: float = 30.0,
    queues: frozenset[str] | None = None,
    codes: frozenset[str] | None = None,
    without: frozenset[str] = frozenset(),
    items: tuple[WorkRef, ...] | None = None,
) -> list[Claim]:
    """Claim whatever is due."""
    return await store.claim(
        ClaimRequest(
            worker=worker, limit=limit, lease_s=lease_s, queues=queues, codes=codes, without=without, items=items
        )
    )


async def claim_one(store: WorkflowStore, worker: str = "worker-1", *, lease_s: float = 30.0) -> Claim:
    """Claim the only work item that is due."""
    claims = await claim(store, worker, lease_s=lease_s)
    assert len(claims) == 1, f"one work item is due, {len(claims)} were given"
    return claims[0]


async def has_due(store: WorkflowStore, **wanted: frozenset[str]) -> bool:
    """Whether the store says that work can be claimed now."""
    due = await store.next_due(**wanted)
    return due is not None and due <= 0


def held_by(worker: str, claim: Claim) -> Held:
    """The proof that a worker holds a claim."""
    return Held(claim.item.number, claim.fence, worker)
