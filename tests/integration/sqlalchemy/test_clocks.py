"""On PostgreSQL the clock of a process has no say: leases and moments are judged by that of the server."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest

from workflows_core.adapters.system_clock import SystemClock
from workflows_core.ports.store import WorkflowStore
from workflows_sqlalchemy import create_store
from workflows_testing.builders import a_timer_graph, an_instance
from workflows_testing.conformance.contract import claim, claim_one, start


@pytest.fixture
async def store(postgres_url: str) -> AsyncGenerator[WorkflowStore]:
    store = create_store(postgres_url).store
    yield store
    await store.close()


def set_clock(monkeypatch: pytest.MonkeyPatch, *, days: int) -> None:
    """Let the clock of this process be wrong; nothing else in it tells the time of day."""
    right = SystemClock.now
    monkeypatch.setattr(SystemClock, "now", lambda clock: right(clock) + timedelta(days=days))


async def test_a_process_whose_clock_is_ahead_takes_nothing_before_its_moment(
    store: WorkflowStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await start(store, an_instance())
    held = await claim_one(store, "right")
    await start(store, an_instance(a_timer_graph(60)))
    set_clock(monkeypatch, days=1)
    assert await claim(store, "ahead") == []
    assert await store.renew("right", 30.0) == {held.lease}


async def test_what_a_process_holds_whose_clock_is_behind_is_left_to_it(
    store: WorkflowStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await start(store, an_instance())
    with monkeypatch.context() as behind:
        set_clock(behind, days=-1)
        await start(store, an_instance(a_timer_graph(60)))
        await claim_one(store, "behind")
    assert await claim(store, "right") == []
