"""Looking for work of many tenants: a claim visits as many as may have a turn, and none that only waits."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from tests.integration.sqlalchemy.filling import filling
from tests.integration.sqlalchemy.sending import SentBy

from workflows_core.ports.store import Claim, ClaimRequest

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


async def claim(sent_by: SentBy) -> list[Claim]:
    """Claim as much as a worker takes."""
    return await sent_by.store.claim(ClaimRequest(worker="worker-1", limit=LIMIT, lease_s=30))


async def _filled(url: str, due_tenants: int) -> AsyncGenerator[SentBy]:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        for statement in fill(engine.dialect.name, due_tenants=due_tenants):
            await connection.execute(text(statement))
    sent_by = SentBy(engine)
    yield sent_by
    await sent_by.store.close()
    await engine.dispose()


@pytest.fixture(params=[1, 3, DUE], ids=lambda number: f"{number} tenants")
def due_tenants(request: pytest.FixtureRequest) -> int:
    found: int = request.param
    return found


@pytest.fixture
async def on_sqlite(sqlite_url: str, due_tenants: int) -> AsyncGenerator[SentBy]:
    async for sent_by in _filled(sqlite_url, due_tenants):
        yield sent_by


@pytest.fixture
async def on_postgresql(postgres_url: str, due_tenants: int) -> AsyncGenerator[SentBy]:
    async for sent_by in _filled(postgres_url, due_tenants):
        yield sent_by


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
    on_postgresql: SentBy, due_tenants: int
) -> None:
    for _ in range(3):
        assert len({claimed.state.tenant for claimed in await claim(on_postgresql)}) == min(due_tenants, LIMIT)
    plan = (await on_postgresql.plan("ANALYZE", "BUFFERS")).splitlines()
    assert not [line for line in plan if "Seq Scan on workflow_" in line and "workflow_scopes" not in line]
    assert rows_read(plan) < 3 * 250
    assert 3 * LIMIT <= rows_locked(plan) <= 3 * LIMIT + 3  # some servers tell averages as whole numbers
    assert not [line for line in plan if line.startswith("JIT")], "its cost is overestimated: the server compiles it"


async def test_one_tenant_alone_is_not_looked_through_twice_on_postgresql(
    on_postgresql: SentBy, due_tenants: int
) -> None:
    await claim(on_postgresql)
    plan = (await on_postgresql.plan("ANALYZE", "BUFFERS")).splitlines()
    (turns,) = [number for number, line in enumerate(plan) if "CTE turns" in line]
    assert ("never executed" in plan[turns + 1]) == (due_tenants == 1)


async def test_the_next_due_moment_on_postgresql_visits_few_tenants(on_postgresql: SentBy) -> None:
    due = await on_postgresql.store.next_due()
    assert due is not None
    assert due <= 0
    plan = (await on_postgresql.plan("ANALYZE", "BUFFERS")).splitlines()
    assert not [line for line in plan if "Seq Scan on workflow_" in line]
    assert rows_read(plan) < 30


async def test_a_claim_on_sqlite_visits_as_many_tenants_as_may_have_a_turn(on_sqlite: SentBy, due_tenants: int) -> None:
    for _ in range(3):
        on_sqlite.sent.clear()
        assert len({claimed.state.tenant for claimed in await claim(on_sqlite)}) == min(due_tenants, LIMIT)
        assert on_sqlite.operations() < 6000


async def test_the_next_due_moment_on_sqlite_visits_few_tenants(on_sqlite: SentBy) -> None:
    due = await on_sqlite.store.next_due()
    assert due is not None
    assert due <= 0
    assert on_sqlite.operations() < 1200
