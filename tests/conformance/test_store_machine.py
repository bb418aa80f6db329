"""Stores behave alike, whatever is done to them in whatever order."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from workflows_core.adapters.memory import InMemoryWorkflowQueries, InMemoryWorkflowStore, MemoryState
from workflows_core.ports.clock import Clock
from workflows_sqlalchemy import create_store, schema
from workflows_sqlalchemy.tables import metadata
from workflows_testing.clock import ManualClock
from workflows_testing.faulty import FAULTS, Fault
from workflows_testing.servers.databases import PostgresDatabase
from workflows_testing.store_machine import OpenSides, Sides, store_machine

FOUND = [
    "forgets the fence",
    "forgets start keys",
    "writes whatever the revision",
    "leaves refused events",
    "serves all queues",
    "ignores a pause",
    "takes unread data for none",
    "renews what has ended",
    "releases without the delay",
    "goes on counting attempts when work is written anew",
]
"""Faults that a few stories are enough for; those that hide better are a matter of the rules."""


def tell_stories(open_sides: OpenSides, *, examples: int, phases: tuple[Phase, ...] = tuple(Phase)) -> None:
    run_state_machine_as_test(
        store_machine(open_sides),
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_memory_store_behaves_as_itself() -> None:
    @asynccontextmanager
    async def another_memory(clock: Clock) -> AsyncGenerator[Sides]:
        memory = MemoryState(clock)
        yield InMemoryWorkflowStore(memory), InMemoryWorkflowQueries(memory)

    tell_stories(another_memory, examples=30)


def test_the_store_on_sqlite_behaves_as_the_memory_store(tmp_path: Path) -> None:
    template = tmp_path / "template.db"
    schema.upgrade_sync(f"sqlite+aiosqlite:///{template}")
    content = template.read_bytes()

    @asynccontextmanager
    async def empty_file(clock: Clock) -> AsyncGenerator[Sides]:
        path = tmp_path / "story.db"
        for used in tmp_path.glob("story.db*"):
            used.unlink()
        path.write_bytes(content)
        sides = create_store(f"sqlite+aiosqlite:///{path}", clock=clock)
        yield sides.store, sides.queries
        await sides.store.close()

    tell_stories(empty_file, examples=8)


def test_the_store_on_postgresql_behaves_as_the_memory_store(postgres_database: PostgresDatabase) -> None:
    schema.upgrade_sync(postgres_database.url_for("psycopg"))

    @asynccontextmanager
    async def empty_tables(clock: Clock) -> AsyncGenerator[Sides]:
        with psycopg.connect(postgres_database.url, autocommit=True) as connection:
            connection.execute(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY")
        sides = create_store(postgres_database.url_for("asyncpg"), clock=clock, pool_size=2)
        yield sides.store, sides.queries
        await sides.store.close()

    tell_stories(empty_tables, examples=4)


@pytest.mark.parametrize("fault", {fault.name: fault for fault in FAULTS if fault.name in FOUND}.values(), ids=str)
def test_a_broken_store_is_found(fault: Fault) -> None:
    @asynccontextmanager
    async def broken(clock: ManualClock) -> AsyncGenerator[Sides]:
        sides = fault.build(clock)
        yield sides["store"], sides["queries"]

    with pytest.raises(AssertionError):
        tell_stories(broken, examples=500, phases=(Phase.generate,))
