"""Looking for work of many tenants: a claim visits as many as may have a turn, and none that only waits."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from tests.integration.sqlalchemy.filling import filling

from workflows_core.ports.store import Claim, ClaimRequest
from workflows_sqlalchemy import SQLAlchemyWorkflowStore, create_store

FINISHED, WAITING, DUE, LIMIT = 5_000, 10_000, 1_000, 8

FILL = """
INSERT INTO workflow_instances (
    id, tenant_id, workflow_name, workflow_version, graph_hash, status, revision, marking, data, started_at,
    updated_at
)
SELECT {id}, {tenant}, 'order', '1.0.0', 'hash', CASE WHEN n > {waiting} + {due} THEN 'completed' ELSE 'running' END, 1, {marking}, {data},
    {past}, {past}
FROM {numbers};
INSERT INTO workflow_work_items (
    instance_id, number, kind, step_name, scope_id, home, execution, queue, priority, due_at, revision, fence, attempt, turn_of
)
SELECT {id}, 1, 'run', 'step', 0, 0, 2, 'default', 0, CASE WHEN n <= {waiting} THEN {future} ELSE {past} END, 1, 0, 0,
    CASE WHEN n > {waiting} THEN {tenant} END
FROM {numbers} WHERE n <= {waiting} + {due};
ANALYZE;
"""
"""A timer of each of many tenants, work that is due of many others, and what is finished."""


def fill(dialect: str, *, due_tenants: int) -> list[str]:
    tenant = f"'tenant-' || CAST(CASE WHEN n > {WAITING} THEN n % {due_tenants} ELSE n END AS text)"
    return filling(FILL, dialect, FINISHED + WAITING + DUE, waiting=WAITING, due=DUE, tenant=tenant)


class Measured:
    """A store whose statements are run once more to see what they read."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.store: SQLAlchemyWorkflowStore = create_store(engine).store
        self.sent: list[tuple[str, Any]] = []
        event.listen(self.store.backend.engine, "before_cursor_execute", self._note)

    def _note(self, _connection: Connection, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if statement.lstrip().startswith(("SELECT", "WITH")):
            self.sent.append((statement, parameters))

    async def claim(self) -> list[Claim]:
        return await self.store.claim(ClaimRequest(worker="worker-1", limit=LIMIT, lease_s=30))

    async def plan(self) -> list[str]:
        """The lines of the analyzed plans of what was sent to PostgreSQL since the last call."""
        sent, self.sent = self.sent, []
        lines: list[str] = []
        async with self.engine.connect() as connection:
            for statement, parameters in sent:
                rows = await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS) {statement}", parameters)
                lines.extend(str(row[0]) for row in rows)
            await connection.rollback()
        assert lines, "nothing was sent"
        return lines

    def operations(self) -> int:
        """About how many operations SQLite does for what was sent since the last call."""
        sent, self.sent = self.sent, []
        assert sent, "nothing was sent"
        counted = 0

        def count() -> int:
            nonlocal counted
            counted += 10
            return 0

        connection = sqlite3.connect(str(self.engine.url.database))
        connection.set_progress_handler(count, 10)
        for statement, parameters in sent:
            connection.execute(statement, parameters).fetchall()
        connection.close()
        return counted


async def _measured(url: str, due_tenants: int) -> AsyncGenerator[Measured]:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        for statement in fill(engine.dialect.name, due_tenants=due_tenants):
            await connection.execute(text(statement))
    measured = Measured(engine)
    yield measured
    await measured.store.close()
    await engine.dispose()


@pytest.fixture(params=[1, 3, DUE], ids=lambda number: f"{number} tenants")
def due_tenants(request: pytest.FixtureRequest) -> int:
    found: int = request.param
    return found


@pytest.fixture
async def on_sqlite(sqlite_url: str, due_tenants: int) -> AsyncGenerator[Measured]:
    async for measured in _measured(sqlite_url, due_tenants):
        yield measured


@pytest.fixture
async def on_postgresql(postgres_url: str, due_tenants: int) -> AsyncGenerator[Measured]:
    async for measured in _measured(postgres_url, due_tenants):
        yield measured


def rows_read(plan: list[str]) -> int:
    """How many rows of work items were read from the table or an index, all loops together."""
    found = 0
    for line in plan:
        node = re.search(r"Scan .*workflow_work_items.*rows=([\d.]+) loops=(\d+)\)", line)
        found += round(float(node[1]) * int(node[2])) if node is not None else 0
    return found


def rows_locked(plan: list[str]) -> int:
    """How many rows were locked."""
    nodes = [re.search(r"LockRows.*rows=([\d.]+) loops=(\d+)\)", line) for line in plan]
    return sum(round(float(node[1]) * int(node[2])) for node in nodes if node is not None)


async def test_a_claim_on_postgresql_reads_as_many_rows_as_may_have_a_turn_and_locks_those_that_have(
    on_postgresql: Measured, due_tenants: int
) -> None:
    for _ in range(3):
        assert len({claimed.state.tenant for claimed in await on_postgresql.claim()}) == min(due_tenants, LIMIT)
    plan = await on_postgresql.plan()
    assert not [line for line in plan if "Seq Scan on workflow_" in line and "workflow_scopes" not in line]
    assert rows_read(plan) < 3 * 250
    assert 3 * LIMIT <= rows_locked(plan) <= 3 * LIMIT + 3  # some servers tell averages as whole numbers
    assert not [line for line in plan if line.startswith("JIT")], "its cost is overestimated: the server compiles it"


async def test_one_tenant_alone_is_not_looked_through_twice_on_postgresql(
    on_postgresql: Measured, due_tenants: int
) -> None:
    await on_postgresql.claim()
    plan = await on_postgresql.plan()
    (turns,) = [number for number, line in enumerate(plan) if "CTE turns" in line]
    assert ("never executed" in plan[turns + 1]) == (due_tenants == 1)


async def test_the_next_due_moment_on_postgresql_visits_few_tenants(on_postgresql: Measured) -> None:
    due = await on_postgresql.store.next_due()
    assert due is not None
    assert due <= 0
    plan = await on_postgresql.plan()
    assert not [line for line in plan if "Seq Scan on workflow_" in line]
    assert rows_read(plan) < 30


async def test_a_claim_on_sqlite_visits_as_many_tenants_as_may_have_a_turn(
    on_sqlite: Measured, due_tenants: int
) -> None:
    for _ in range(3):
        on_sqlite.sent.clear()
        assert len({claimed.state.tenant for claimed in await on_sqlite.claim()}) == min(due_tenants, LIMIT)
        assert on_sqlite.operations() < 6000


async def test_the_next_due_moment_on_sqlite_visits_few_tenants(on_sqlite: Measured) -> None:
    due = await on_sqlite.store.next_due()
    assert due is not None
    assert due <= 0
    assert on_sqlite.operations() < 1200
