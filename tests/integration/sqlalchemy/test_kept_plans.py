"""A server keeps the plan of a statement, also one that it made when the tables were small: a crowd that comes then is claimed all the same."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from tests.integration.sqlalchemy.sending import PLAN_ANEW

from workflows_core.ports.executor import WorkRef
from workflows_core.ports.store import ClaimRequest
from workflows_sqlalchemy import SQLAlchemyWorkflowStore, create_store
from workflows_sqlalchemy.encoding import encode_data, encode_marking
from workflows_sqlalchemy.postgresql.direct import DirectStatements, Question
from workflows_testing.builders import an_instance

CODES = frozenset({"order@1.0.0"})
FEW, MANY, TIMES = 3, 8_000, 12
"""psycopg prepares what it executes for the sixth time, and the server keeps a plan from the sixth time on that it was prepared."""

FILL = """
INSERT INTO workflow_instances (
    id, tenant_id, workflow_name, workflow_version, graph_hash, status, revision, marking, data, started_at,
    updated_at
)
SELECT CAST(lpad(CAST(n AS text), 32, '0') AS uuid), '', 'order', '1.0.0', 'hash', 'running', 1,
    :marking, :data, now(), now()
FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) n
"""
FILL_WORK = """
INSERT INTO workflow_work_items (
    instance_id, number, kind, step_name, scope_id, home, execution, queue, priority, due_at, revision, fence, attempt, turn_of
)
SELECT CAST(lpad(CAST(n AS text), 32, '0') AS uuid), 1, 'run', 'step', 0, 0, 2, 'default', 0, now(), 1, 0, 0, ''
FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) n
"""


async def fill(engine: AsyncEngine, first: int, last: int) -> None:
    run = an_instance().start().transition.state
    numbers = {"first": first, "last": last}
    async with engine.begin() as connection:
        row = {"marking": encode_marking(run), "data": encode_data({})}
        await connection.execute(text(FILL), numbers | row)
        await connection.execute(text(FILL_WORK), numbers)


async def with_kept_plans(store: SQLAlchemyWorkflowStore) -> SQLAlchemyWorkflowStore:
    """Let the server keep the plan of a claim while there is next to nothing."""
    engine = store.backend.database
    assert isinstance(engine, AsyncEngine)
    await fill(engine, 1, FEW)
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE workflow_instances SET (autovacuum_enabled = off)"))
        await connection.execute(text("ALTER TABLE workflow_work_items SET (autovacuum_enabled = off)"))
        await connection.execute(text("ANALYZE"))
    for _ in range(TIMES):
        await claim(store, 1)
    await fill(engine, FEW + 1, MANY)
    return store


PLANS = text("SELECT statement, custom_plans FROM pg_prepared_statements WHERE custom_plans + generic_plans >= :times")
KEPT_AFTER = 5
"""So many plans the server makes for the parameters at hand, before it compares what they bring with what making them costs."""
KINDS = 8 + 8 + 1
"""Of statements: claims and looks, with and without queues, codes, and steps to leave out; and claims of what is asked for."""
WISHES: list[dict[str, Any]] = [
    {name: value for name, value in wish.items() if value is not None}
    for wish in (
        {"queues": queues, "codes": codes, "without": without}
        for queues in (None, frozenset({"default"}), frozenset({"default", "mail"}))
        for codes in (None, CODES)
        for without in (None, frozenset({"order@1.0.0/other"}))
    )
]


async def claim(store: SQLAlchemyWorkflowStore, limit: int) -> float:
    """Claim so much, or what there is; gives how long it took, in seconds."""
    began = time.perf_counter()
    await store.claim(ClaimRequest(worker="worker-1", limit=limit, lease_s=30, codes=CODES))
    return time.perf_counter() - began


@pytest.fixture
async def own_store(postgres_url: str) -> AsyncGenerator[SQLAlchemyWorkflowStore]:
    """A store with connections of its own."""
    store = create_store(postgres_url).store
    yield await with_kept_plans(store)
    await store.close()


@pytest.fixture(params=["asyncpg", "psycopg"])
async def shared_store(postgres_url: str, request: pytest.FixtureRequest) -> AsyncGenerator[SQLAlchemyWorkflowStore]:
    """A store with the one connection of an application, whose settings are not ours."""
    url = postgres_url.replace("asyncpg", request.param)
    engine = create_async_engine(url, pool_size=1, max_overflow=0)
    store = create_store(engine).store
    yield await with_kept_plans(store)
    await store.close()
    await engine.dispose()


async def test_a_crowd_is_claimed_by_a_plan_from_when_there_was_little(own_store: SQLAlchemyWorkflowStore) -> None:
    assert await claim(own_store, 32) < 1


async def test_a_plan_that_has_become_slow_is_made_anew(shared_store: SQLAlchemyWorkflowStore) -> None:
    first = await claim(shared_store, 32)
    assert min([await claim(shared_store, 32) for _ in range(3)]) < max(first / 4, 0.1)


@pytest.mark.parametrize("rows", [0, MANY])
async def test_nothing_is_planned_anew_for_each_claim(postgres_url: str, rows: int) -> None:
    engine = create_async_engine(postgres_url, pool_size=1, max_overflow=0)
    store = create_store(engine).store
    await fill(engine, 1, rows)
    if rows:
        async with engine.begin() as connection:
            await connection.execute(text("ANALYZE"))
    for wish in WISHES:
        for _ in range(TIMES):
            await store.claim(ClaimRequest(worker="worker-1", limit=2, lease_s=30, **wish))
            await store.next_due(**wish)
    for number in range(1, TIMES + 1):
        wanted = ClaimRequest(worker="worker-1", limit=2, lease_s=30, items=(WorkRef(UUID(int=number), 1),))
        await store.claim(wanted)
    async with engine.connect() as connection:
        found = (await connection.execute(PLANS, {"times": TIMES})).all()
    await store.close()
    await engine.dispose()
    assert len(found) == KINDS
    assert [statement for statement, custom_plans in found if custom_plans > KEPT_AFTER] == []


async def test_plans_are_not_made_anew_each_time_when_something_else_is_slow(postgres_url: str) -> None:
    engine = create_async_engine(postgres_url, pool_size=1, max_overflow=0)
    direct = DirectStatements(engine)
    sent: list[str] = []
    async with engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        driver.add_query_logger(lambda logged: sent.append(logged.query))
    for _ in range(3):
        await direct.fetch(Question(text("SELECT pg_sleep(0.11)"), {}))
    await engine.dispose()
    assert sent.count(PLAN_ANEW) == 1
