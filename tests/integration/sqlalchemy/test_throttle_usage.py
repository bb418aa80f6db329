"""Limits by key leave nothing behind: what limits nothing any more is deleted, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import psycopg
from sqlalchemy import Column, func, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from workflows_core.domain.transition import Rate, Slot
from workflows_core.ports.store import Claim
from workflows_sqlalchemy import SQLAlchemyWorkflowStore, WorkflowInstanceRepository, create_store
from workflows_sqlalchemy.postgresql.throttles import _LOCK_SPACE as LOCK_SPACE
from workflows_sqlalchemy.tables import rates, slots
from workflows_testing.builders import Run, a_graph, an_instance, with_work
from workflows_testing.conformance.contract import claim, commit, held_by
from workflows_testing.servers.databases import PostgresDatabase

KEYS, KEPT, ROUND = 240, 80, 10
SHORT_S, LONG_S = 0.001, 3600.0


async def run_some(store: SQLAlchemyWorkflowStore, keys: Sequence[str], rate_s: float, *, end: bool = True) -> None:
    """Run an instance for each key, which has a slot of it and counts to a rate of it."""
    runs: dict[object, Run] = {}
    for key in keys:
        run = an_instance(a_graph("only"))
        runs[run.id] = run
        await commit(
            store, with_work(run.start(), rate=Rate(f"rate {key}", 1, rate_s), admission=Slot(f"slot {key}", 1))
        )
    given: list[Claim] = []
    while len(given) < len(keys):
        given += await claim(store, limit=ROUND)
    for claimed in given if end else ():
        await commit(store, runs[claimed.state.id].complete("only", held=held_by("worker-1", claimed)))
    await asyncio.sleep(2 * SHORT_S)


async def stored(store: SQLAlchemyWorkflowStore, column: Column[str], part: str = "") -> int:
    """How many keys are stored, of those that contain a text."""
    query = select(func.count(column.distinct())).where(column.contains(part))
    found = await store.backend.read(lambda connection: connection.scalar(query))
    assert found is not None
    return found


async def test_keys_that_are_used_once_do_not_pile_up(store: SQLAlchemyWorkflowStore) -> None:
    for first in range(0, KEYS, ROUND):
        await run_some(store, [f"customer {number}" for number in range(first, first + ROUND)], SHORT_S)
    assert await stored(store, rates.c.key) < KEYS / 4
    assert await stored(store, slots.c.key) < KEYS / 4


async def test_what_still_limits_is_kept_and_at_most_about_a_third_of_it_is_left_over(
    store: SQLAlchemyWorkflowStore,
) -> None:
    await run_some(store, [f"kept {number}" for number in range(KEPT)], LONG_S, end=False)
    for first in range(0, KEYS, ROUND):
        await run_some(store, [f"passing {number}" for number in range(first, first + ROUND)], SHORT_S)
    for column in (rates.c.key, slots.c.key):
        assert await stored(store, column, "kept") == KEPT
        assert await stored(store, column) < KEPT * 1.5


async def test_slots_of_deleted_instances_are_deleted_too(url: str, store: SQLAlchemyWorkflowStore) -> None:
    await run_some(store, [f"gone {number}" for number in range(ROUND)], SHORT_S)
    engine = create_async_engine(url)
    async with AsyncSession(engine) as session:
        repository = WorkflowInstanceRepository(session)
        for instance in await repository.find_by_workflow("order"):
            assert await repository.delete(instance.id)
        await session.commit()
    await engine.dispose()
    for first in range(0, 4 * ROUND, ROUND):
        await run_some(store, [f"customer {number}" for number in range(first, first + ROUND)], SHORT_S)
    assert await stored(store, slots.c.key, "gone") == 0


async def test_what_somebody_else_has_locked_is_left_to_him(
    postgres_url: str, emptied_postgres: PostgresDatabase
) -> None:
    store = create_store(postgres_url).store
    await run_some(store, ["a", "b"], SHORT_S)
    with psycopg.connect(emptied_postgres.url) as other:
        for key in ("rate a", "slot a"):
            other.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, %s))", [key, LOCK_SPACE])
        for first in range(0, 4 * ROUND, ROUND):
            await run_some(store, [f"c {number}" for number in range(first, first + ROUND)], SHORT_S)
        assert other.execute("SELECT key FROM workflow_rates WHERE key IN ('rate a', 'rate b')").fetchall() == [
            ("rate a",)
        ]
        assert other.execute("SELECT key FROM workflow_slots WHERE key IN ('slot a', 'slot b')").fetchall() == [
            ("slot a",)
        ]
    await store.close()
