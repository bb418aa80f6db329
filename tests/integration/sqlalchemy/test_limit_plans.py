"""Looking for work whose time is over reads the index of limits, and no more rows of it than are over."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from tests.integration.sqlalchemy.filling import INSTANCES, filling

from workflows_core.domain.transition import WorkKind
from workflows_core.ports.store import ClaimRequest
from workflows_sqlalchemy import SQLAlchemyWorkflowStore, create_store

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


class Explained:
    """A store whose statements are explained after they were run."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.store: SQLAlchemyWorkflowStore = create_store(engine).store
        self.sent: list[tuple[str, Any]] = []
        event.listen(self.store.backend.engine, "before_cursor_execute", self._note)

    def _note(self, _connection: Connection, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if not statement.lstrip().startswith(("EXPLAIN", "BEGIN", "COMMIT", "PRAGMA", "ROLLBACK")):
            self.sent.append((statement, parameters))

    async def plans(self, explain: str) -> list[str]:
        """The lines of the plans of what was sent since the last call."""
        sent, self.sent = self.sent, []
        lines: list[str] = []
        async with self.engine.connect() as connection:
            for statement, parameters in sent:
                first = parameters[0] if isinstance(parameters, list) else parameters
                rows = await connection.exec_driver_sql(f"{explain} {statement}", first)
                lines.extend(str(row[-1]) for row in rows)
            await connection.rollback()
        assert lines, "nothing was sent"
        return lines

    async def claim(self, **wanted: Any) -> int:
        """Claim what is over, which is all that there is; gives how much it was."""
        claims = await self.store.claim(ClaimRequest(worker="worker-new", limit=3, lease_s=30, **wanted))
        assert {claimed.item.kind for claimed in claims} <= {WorkKind.EXPIRE}
        return len(claims)


@pytest.fixture
async def on_sqlite(sqlite_url: str) -> AsyncGenerator[Explained]:
    async for explained in _filled(sqlite_url):
        yield explained


@pytest.fixture
async def on_postgresql(postgres_url: str) -> AsyncGenerator[Explained]:
    async for explained in _filled(postgres_url):
        yield explained


async def _filled(url: str) -> AsyncGenerator[Explained]:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        for statement in fill(engine.dialect.name):
            await connection.execute(text(statement))
    explained = Explained(engine)
    yield explained
    await explained.store.close()
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
    on_sqlite: Explained, wanted: dict[str, Any]
) -> None:
    assert await on_sqlite.claim(**wanted)
    plan = await on_sqlite.plans("EXPLAIN QUERY PLAN")
    assert any(INDEX in line and "timeout_at<?" in line for line in plan)
    assert reads_a_whole_table(plan) == []


@WANTED
async def test_claiming_on_postgresql_reads_no_more_limits_than_are_over(
    on_postgresql: Explained, wanted: dict[str, Any]
) -> None:
    assert await on_postgresql.claim(**wanted)
    plan = await on_postgresql.plans("EXPLAIN (ANALYZE)")
    (place,) = [number for number, line in enumerate(plan) if INDEX in line]
    assert "timeout_at <=" in plan[place + 1]
    assert rows_read(plan[place]) <= OVER
    assert reads_a_whole_table(plan) == []


@WANTED
async def test_claiming_when_all_is_over_and_unwanted_reads_what_is_over_and_no_more(
    on_postgresql: Explained, wanted: dict[str, Any]
) -> None:
    await on_postgresql.claim()
    await on_postgresql.claim()
    await on_postgresql.plans("EXPLAIN")
    assert await on_postgresql.claim(**wanted) == 0
    plan = await on_postgresql.plans("EXPLAIN (ANALYZE)")
    assert [rows_read(line) for line in plan if INDEX in line] == [0]
    assert reads_a_whole_table(plan) == []


@WANTED
async def test_the_next_due_moment_on_postgresql_reads_the_first_limit_alone(
    on_postgresql: Explained, wanted: dict[str, Any]
) -> None:
    assert await on_postgresql.store.next_due(**wanted) is not None
    plan = await on_postgresql.plans("EXPLAIN (ANALYZE)")
    assert [rows_read(line) for line in plan if INDEX in line] == [1]
    assert reads_a_whole_table(plan) == []


@WANTED
async def test_the_next_due_moment_on_sqlite_reads_the_first_limit_alone(
    on_sqlite: Explained, wanted: dict[str, Any]
) -> None:
    assert await on_sqlite.store.next_due(**wanted) is not None
    ((statement, parameters),) = on_sqlite.sent
    plan = await on_sqlite.plans("EXPLAIN QUERY PLAN")
    assert any(INDEX in line for line in plan)
    assert reads_a_whole_table(plan) == []
    assert operations(on_sqlite, statement, parameters) < 40 * HELD, "what is held is read, and one limit"


async def test_asking_for_work_items_reads_no_others(on_sqlite: Explained, on_postgresql: Explained) -> None:
    for explained, explain in ((on_sqlite, "EXPLAIN QUERY PLAN"), (on_postgresql, "EXPLAIN")):
        (claimed,) = await explained.store.claim(LOOK)
        await explained.store.release(LOOK.worker, [claimed.lease])
        await explained.plans(explain)
        assert await explained.claim(items=(claimed.ref,)) == 1
        assert reads_a_whole_table(await explained.plans(explain)) == []


def rows_read(line: str) -> int:
    """How many rows a node of an analyzed plan gave."""
    found = re.search(r"actual time=\S+ rows=(\d+)", line)
    return int(found[1]) if found is not None else 0


def operations(explained: Explained, statement: str, parameters: Any) -> int:
    """About how many operations SQLite does for a statement."""
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 10
        return 0

    connection = sqlite3.connect(str(explained.engine.url.database))
    connection.set_progress_handler(count, 10)
    connection.execute(statement, parameters).fetchall()
    connection.close()
    return counted
