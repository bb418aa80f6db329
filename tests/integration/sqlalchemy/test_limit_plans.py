"""Looking for work whose time is over reads the index of limits, and no more rows of it than are over."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from tests.integration.sqlalchemy.filling import INSTANCES, filling
from tests.integration.sqlalchemy.sending import SentBy

from workflows_core.domain.transition import WorkKind
from workflows_core.ports.store import ClaimRequest

NUMBER, HELD, OVER = 6_000, 60, 5
INDEX = "ix_workflow_work_items_timeout"

LOOK = ClaimRequest(worker="worker-look", limit=1, lease_s=30)

FILL_WORK = """
INSERT INTO workflow_work_items (
    instance_id, number, kind, step_name, scope_id, home, execution, queue, priority, due_at, revision, fence, attempt,
    worker, lease_until, timeout_at
)
SELECT {id}, 1, 'await', 'step', 0, 0, 2, CASE WHEN n % 2 = 0 THEN 'mail' ELSE 'default' END, n % 3, NULL, 1, 0, 0,
    CASE WHEN n % {all} < {held} THEN 'worker-' || (n % 5) END, CASE WHEN n % {all} < {held} THEN {future} END,
    CASE WHEN n <= {over} THEN {past} WHEN n % 3 <> 0 THEN {future} END
FROM {numbers};
ANALYZE;
"""
"""Instances that wait, most of them for a limited time; some of that is over, and some work is held."""


def fill(dialect: str) -> list[str]:
    return filling(INSTANCES + FILL_WORK, dialect, NUMBER, all=NUMBER, held=HELD, over=OVER)


async def claim(sent_by: SentBy, **wanted: Any) -> int:
    """Claim what is over, which is all that there is; gives how much it was."""
    claims = await sent_by.store.claim(ClaimRequest(worker="worker-new", limit=3, lease_s=30, **wanted))
    assert {claimed.item.kind for claimed in claims} <= {WorkKind.EXPIRE}
    return len(claims)


@pytest.fixture
async def on_sqlite(sqlite_url: str) -> AsyncGenerator[SentBy]:
    async for sent_by in _filled(sqlite_url):
        yield sent_by


@pytest.fixture
async def on_postgresql(postgres_url: str) -> AsyncGenerator[SentBy]:
    async for sent_by in _filled(postgres_url):
        yield sent_by


async def _filled(url: str) -> AsyncGenerator[SentBy]:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        for statement in fill(engine.dialect.name):
            await connection.execute(text(statement))
    sent_by = SentBy(engine)
    yield sent_by
    await sent_by.store.close()
    await engine.dispose()


def reads_a_whole_table(plan: list[str]) -> list[str]:
    """The lines of a plan that go through all work or all instances."""
    return [
        line
        for line in plan
        if ("Seq Scan on workflow_" in line and "workflow_scopes" not in line)
        or (line.startswith(("SCAN w", "SCAN i", "SCAN workflow_")) and "USING" not in line)
    ]


WANTED = pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"queues": frozenset({"mail"})},
        {"codes": frozenset({"order@1.0.0"})},
        {"without": frozenset({"order@1.0.0/other"})},
    ],
    ids=["all", "queue", "code", "step"],
)


@WANTED
async def test_claiming_on_sqlite_reads_what_is_over_by_the_index_of_limits(
    on_sqlite: SentBy, wanted: dict[str, Any]
) -> None:
    assert await claim(on_sqlite, **wanted)
    plan = (await on_sqlite.plan()).splitlines()
    assert any(INDEX in line and "timeout_at<?" in line for line in plan)
    assert reads_a_whole_table(plan) == []


@WANTED
async def test_claiming_on_postgresql_reads_no_more_limits_than_are_over(
    on_postgresql: SentBy, wanted: dict[str, Any]
) -> None:
    assert await claim(on_postgresql, **wanted)
    plan = (await on_postgresql.plan("ANALYZE")).splitlines()
    (place,) = [number for number, line in enumerate(plan) if INDEX in line]
    assert "timeout_at <=" in plan[place + 1]
    assert rows_read(plan[place]) <= OVER
    assert reads_a_whole_table(plan) == []


@WANTED
async def test_claiming_when_all_is_over_and_unwanted_reads_what_is_over_and_no_more(
    on_postgresql: SentBy, wanted: dict[str, Any]
) -> None:
    await claim(on_postgresql)
    await claim(on_postgresql)
    await on_postgresql.plan()
    assert await claim(on_postgresql, **wanted) == 0
    plan = (await on_postgresql.plan("ANALYZE")).splitlines()
    assert [rows_read(line) for line in plan if INDEX in line] == [0]
    assert reads_a_whole_table(plan) == []


@WANTED
async def test_the_next_due_moment_on_postgresql_reads_the_first_limit_alone(
    on_postgresql: SentBy, wanted: dict[str, Any]
) -> None:
    assert await on_postgresql.store.next_due(**wanted) is not None
    plan = (await on_postgresql.plan("ANALYZE")).splitlines()
    assert [rows_read(line) for line in plan if INDEX in line] == [1]
    assert reads_a_whole_table(plan) == []


@WANTED
async def test_the_next_due_moment_on_sqlite_reads_the_first_limit_alone(
    on_sqlite: SentBy, wanted: dict[str, Any]
) -> None:
    assert await on_sqlite.store.next_due(**wanted) is not None
    (asked,) = on_sqlite.sent
    plan = (await on_sqlite.plan()).splitlines()
    assert any(INDEX in line for line in plan)
    assert reads_a_whole_table(plan) == []
    on_sqlite.sent.append(asked)
    assert on_sqlite.operations() < 40 * HELD, "what is held is read, and one limit"


async def test_asking_for_work_items_reads_no_others(on_sqlite: SentBy, on_postgresql: SentBy) -> None:
    for sent_by in (on_sqlite, on_postgresql):
        (claimed,) = await sent_by.store.claim(LOOK)
        await sent_by.store.release(LOOK.worker, [claimed.lease])
        await sent_by.plan()
        assert await claim(sent_by, items=(claimed.ref,)) == 1
        assert reads_a_whole_table((await sent_by.plan()).splitlines()) == []


def rows_read(line: str) -> int:
    """How many rows a node of an analyzed plan gave."""
    found = re.search(r"actual time=\S+ rows=(\d+)", line)
    return int(found[1]) if found is not None else 0
