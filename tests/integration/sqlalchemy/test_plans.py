"""Looking for work, and the lists that people see, use the indexes: their cost does not grow with what is finished or waits.

With ``WORKFLOWS_TEST_FINISHED=1000000`` a million instances have finished (``make test-million``).
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine
from tests.integration.sqlalchemy.conftest import migrate
from tests.integration.sqlalchemy.filling import INSTANCES, blob, filling
from tests.integration.sqlalchemy.sending import SentBy

from workflows_core.domain.transition import TaskOpening
from workflows_core.domain.types import TaskStatus, WorkflowStatus
from workflows_core.ports.queries import InstanceFilter, PageRequest, TaskFilter
from workflows_core.ports.store import ClaimRequest, Committed, Held, StartKey
from workflows_sqlalchemy import create_store
from workflows_sqlalchemy.encoding import encode_opening
from workflows_sqlalchemy.postgresql.claims import claim_statement, due_statement
from workflows_testing.builders import a_graph, an_instance
from workflows_testing.servers import PostgresServer
from workflows_testing.servers.databases import DatabaseTemplate, PostgresDatabase

FINISHED = int(os.environ.get("WORKFLOWS_TEST_FINISHED", "12000"))
WAITING, HELD, DUE = 2000, 40, 400
BATCH = 100
# A million rows take a minute to make, and each test gets a copy of its own.
pytestmark = pytest.mark.timeout(120 + FINISHED // 2_000)

FILL = """
INSERT INTO workflow_instances (
    id, tenant_id, workflow_name, workflow_version, graph_hash, status, revision, marking, data,
    created_by, started_at, updated_at
)
SELECT {id}, CASE WHEN n % 50 = 0 THEN 'acme' ELSE '' END, CASE WHEN n % 40 = 0 THEN 'rare' ELSE 'order' END, '1.0.0', 'hash',
    CASE WHEN n <= {finished} THEN 'completed' ELSE 'waiting' END, 3, {marking}, {data}, 'ann', {past}, {past}
FROM {numbers};
INSERT INTO workflow_work_items (
    instance_id, number, kind, step_name, scope_id, home, execution, queue, priority, due_at, revision, fence, attempt,
    worker, lease_until
)
SELECT {id}, 1, 'run', 'step', 0, 0, 2, CASE WHEN n % 10 = 0 THEN 'mail' ELSE 'default' END, n % 3,
    CASE WHEN n % 4 = 0 THEN NULL WHEN n > {all} - {held} - {due} THEN {past} ELSE {future} END, 3, 0, 0,
    CASE WHEN n > {all} - {held} THEN 'worker-' || (n % 5) END, CASE WHEN n > {all} - {held} THEN {future} END
FROM {numbers} WHERE n > {finished};
INSERT INTO workflow_human_tasks (
    id, instance_id, workflow_name, workflow_version, tenant_id, execution, step_name, title, status, assignee_id,
    candidates, priority, created_at, opening
)
SELECT {id}, {id}, 'order', '1.0.0', CASE WHEN n % 50 = 0 THEN 'acme' ELSE '' END, 2, 'review', 'Review', CASE WHEN n <= {finished} THEN 'completed' ELSE 'pending' END,
    'user-' || (n % 500), {nobody}, 50, {past}, {opening}
FROM {numbers};
ANALYZE;
"""


def fill(dialect: str) -> list[str]:
    """Statements that make many finished and waiting instances, some work that is due, and some that is held."""
    opening = encode_opening(TaskOpening(UUID(int=0), 2, 1, 0, "review", "Review"))
    words = {
        "finished": FINISHED,
        "all": FINISHED + WAITING,
        "held": HELD,
        "due": DUE,
        "opening": blob(dialect, opening),
    }
    return filling(FILL, dialect, FINISHED + WAITING, **words)


def make_large(url: str) -> None:
    """Fill a database."""
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in fill(engine.dialect.name):
            connection.execute(text(statement))
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def planned_url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(f"{request.param.removesuffix('ql')}_url")
    return found


@pytest.fixture(scope="module")
def large_sqlite(sqlite_template: bytes, tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """A large database to copy."""
    path = tmp_path_factory.mktemp("plans") / "large.db"
    path.write_bytes(sqlite_template)
    make_large(f"sqlite+pysqlite:///{path}")
    yield path
    path.unlink()


@pytest.fixture(scope="module")
def large_postgres(postgres_service: PostgresServer) -> Generator[DatabaseTemplate]:
    """The same on PostgreSQL."""

    def prepare(database: PostgresDatabase) -> None:
        migrate(database)
        make_large(database.url_for("psycopg"))

    template = DatabaseTemplate(postgres_service, prepare)
    yield template
    template.close()


@pytest.fixture
def large_postgres_url(large_postgres: DatabaseTemplate) -> Generator[str]:
    with large_postgres.database() as database:
        yield database.url_for("asyncpg")


@pytest.fixture
def large_sqlite_url(large_sqlite: Path, tmp_path: Path) -> Generator[str]:
    path = tmp_path / "large.db"
    shutil.copyfile(large_sqlite, path)
    yield f"sqlite+aiosqlite:///{path}"
    path.unlink()


@pytest.fixture(params=["sqlite", "postgresql"])
def large_url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(f"large_{request.param.removesuffix('ql')}_url")
    return found


@pytest.fixture
async def planned(large_url: str) -> AsyncGenerator[SentBy]:
    """A large database, without the settings that our own engines have."""
    engine = create_async_engine(large_url)
    planned = SentBy(engine)
    yield planned
    await planned.store.close()
    await engine.dispose()


def reads_all_of(plan: str, table: str) -> bool:
    """Whether a plan goes through a whole table."""
    lines = [line for line in plan.splitlines() if table in line or line.strip() == "SCAN w"]
    return any(
        ("Seq Scan" in line) or (line.lstrip().startswith("SCAN") and "USING" not in line and "lanes" not in line)
        for line in lines
    )


def request(**wanted: Any) -> ClaimRequest:
    return ClaimRequest(worker="worker-new", limit=5, lease_s=30, **wanted)


@pytest.mark.parametrize(
    "wanted", [{}, {"queues": frozenset({"mail"})}, {"codes": frozenset({"order@1.0.0"})}], ids=["all", "queue", "code"]
)
async def test_claiming_reads_the_indexes_of_due_and_of_held_work(planned: SentBy, wanted: dict[str, Any]) -> None:
    claims = await planned.store.claim(request(**wanted))
    assert claims
    plan = await planned.plan()
    assert "ix_workflow_work_items_due" in plan
    assert "ix_workflow_work_items_held" in plan
    assert not reads_all_of(plan, "workflow_work_items")
    assert not reads_all_of(plan, "workflow_instances")


async def test_the_next_due_moment_reads_the_indexes_of_due_and_of_held_work(planned: SentBy) -> None:
    assert await planned.store.next_due() is not None
    plan = await planned.plan()
    assert "ix_workflow_work_items_due" in plan
    assert "ix_workflow_work_items_held" in plan
    assert not reads_all_of(plan, "workflow_work_items")
    assert not reads_all_of(plan, "workflow_instances")


async def test_renewing_reads_the_index_of_held_work(planned: SentBy) -> None:
    await planned.store.renew("worker-1", 30)
    plan = await planned.plan()
    assert "ix_workflow_work_items_held" in plan
    assert not reads_all_of(plan, "workflow_work_items")


async def test_the_conditions_of_a_write_are_looked_up_by_their_keys(sqlite_url: str) -> None:
    engine = create_async_engine(sqlite_url)
    planned, run = SentBy(engine), an_instance()
    start = run.start(take="first", worker="one", start_key=StartKey("order-1", "digest"))
    (started,) = await planned.store.commit([start])
    assert isinstance(started, Committed)
    held = Held(*started.fences.popitem(), "one")
    (done,) = await planned.store.commit([run.complete("first", held=held)])
    assert isinstance(done, Committed)
    plan = await planned.plan()
    await planned.store.close()
    await engine.dispose()
    assert "uq_workflow_instances_start_key" in plan
    assert "sqlite_autoindex_workflow_work_items_1" in plan
    assert not {"SCAN i", "SCAN w"} & set(plan.splitlines())
    assert not reads_all_of(plan, "workflow_instances")


async def test_the_commit_of_a_step_finds_its_rows_by_their_keys(planned: SentBy) -> None:
    run = an_instance(a_graph("first", "second"))
    (started,) = await planned.store.commit([run.start(take="first", worker="one")])
    assert isinstance(started, Committed)
    planned.sent.clear()
    held = Held(*started.fences.popitem(), "one")
    (done,) = await planned.store.commit([run.complete("first", held=held, take="second")])
    assert isinstance(done, Committed)
    plan = await planned.plan()
    keys = "pk_workflow_{}" if planned.engine.dialect.name == "postgresql" else "sqlite_autoindex_workflow_{}_1"
    assert keys.format("instances") in plan
    assert keys.format("work_items") in plan
    assert "Seq Scan" not in plan
    assert not {"SCAN i", "SCAN w"} & set(plan.splitlines())


async def test_work_of_queues_that_a_worker_does_not_serve_is_not_read(large_postgres_url: str) -> None:
    engine = create_async_engine(large_postgres_url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        for statement in (
            str(claim_statement(queues=True, codes=False, items=False)),
            str(due_statement(queues=True, codes=False)),
        ):
            parameters = {"now": None, "worker": "w", "limit": 5, "lease_s": 30.0, "queues": ["none"]}
            parameters |= {"priorities": [], "tenants": [], "codes": None, "without": None}
            names = {name: value for name, value in parameters.items() if f":{name}" in statement}
            rows = await connection.execute(text(f"EXPLAIN (ANALYZE) {statement}"), names)
            removed = [int(row[0].rpartition(":")[2]) for row in rows if "Rows Removed" in row[0]]
            assert sum(removed) <= HELD + 10  # lanes, and what is held
    await engine.dispose()


CROWD = 8_000
FILL_CROWD = """
INSERT INTO workflow_work_items (
    instance_id, number, kind, step_name, scope_id, home, execution, queue, priority, due_at, turn_of, revision, fence, attempt
)
SELECT {id}, n, 'run', 'step', 0, 0, 2, 'together', 0, (SELECT max(started_at) FROM workflow_instances), {turn_of}, 1, 0, 0
FROM {numbers}
UNION ALL
SELECT {id}, -n, 'run', 'step', 0, 0, 2, 'one by one', 0, {past}, {turn_of}, 1, 0, 0
FROM {numbers};
ANALYZE;
"""


@pytest.mark.parametrize("turn_of", ["''", "NULL"], ids=["at_once", "later"])
async def test_few_of_a_crowd_that_is_due_at_one_moment_are_found_without_sorting_all(
    planned_url: str, turn_of: str
) -> None:
    engine = create_async_engine(planned_url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        for statement in filling(INSTANCES + FILL_CROWD, engine.dialect.name, CROWD, turn_of=turn_of):
            await connection.execute(text(statement))
    await engine.dispose()
    store = create_store(planned_url).store
    times: dict[str, list[float]] = {"together": [], "one by one": []}
    numbers: list[int] = []
    for _ in range(10):
        for queue, taken in times.items():
            began = time.perf_counter()
            claims = await store.claim(request(queues=frozenset({queue})))
            taken.append(time.perf_counter() - began)
            numbers += [claim.ref.number for claim in claims]
    await store.close()
    assert [number for number in numbers if number > 0] == list(range(1, 51))
    assert min(times["together"]) < 2 * min(times["one by one"])


@pytest.mark.parametrize(
    ("where", "index"),
    [
        (InstanceFilter(), "ix_workflow_instances_started_at_id"),
        (InstanceFilter(tenant="acme"), "ix_workflow_instances_tenant_id_started_at_id"),
        (InstanceFilter(workflow_name="rare"), "ix_workflow_instances_workflow_name_started_at_id"),
        (InstanceFilter(created_by="bob"), "ix_workflow_instances_created_by_started_at_id"),
        (InstanceFilter(statuses=(WorkflowStatus.FAILED,)), "ix_workflow_instances_failed"),
        (InstanceFilter(statuses=(WorkflowStatus.RUNNING,)), "ix_workflow_instances_unfinished"),
    ],
    ids=["all", "tenant", "workflow", "user", "failed", "running"],
)
async def test_lists_of_instances_read_an_index(planned: SentBy, where: InstanceFilter, index: str) -> None:
    first = await planned.queries.list_instances(where, PageRequest(limit=20))
    if first.next_cursor is not None:
        await planned.queries.list_instances(where, PageRequest(limit=20, cursor=first.next_cursor))
    plan = await planned.plan()
    assert index in plan
    assert not reads_all_of(plan, "workflow_instances")


@pytest.mark.parametrize(
    ("where", "index"),
    [
        (TaskFilter(statuses=(TaskStatus.PENDING,), tenant="acme"), "ix_workflow_human_tasks_open"),
        (TaskFilter(statuses=(TaskStatus.PENDING,), assignee_id="user-7"), "ix_workflow_human_tasks_assigned"),
        (TaskFilter(), "ix_workflow_human_tasks_created_at_id"),
    ],
    ids=["open", "assigned", "all"],
)
async def test_lists_of_tasks_read_an_index(planned: SentBy, where: TaskFilter, index: str) -> None:
    await planned.queries.list_tasks(where, PageRequest(limit=20))
    plan = await planned.plan()
    assert index in plan
    assert not reads_all_of(plan, "workflow_human_tasks")


async def test_looking_for_stalled_instances_reads_no_finished_ones(planned: SentBy) -> None:
    assert await planned.queries.find_stalled() == []
    plan = await planned.plan()
    assert "ix_workflow_instances_unfinished" in plan


async def test_a_large_batch_is_not_joined_row_by_row(postgres_url: str) -> None:
    """Each write names its work item; looking for it among all that the worker holds would take the square of the batch.

    A planner that knows little of the tables, as here where they have just been filled, would rather do that.
    """
    engine = create_async_engine(postgres_url)
    planned = SentBy(engine)
    runs = [an_instance() for _ in range(BATCH)]
    await planned.store.commit([run.start() for run in runs])
    claims = await planned.store.claim(ClaimRequest(worker="one", limit=BATCH, lease_s=30))
    fences = {claim.ref.instance_id: Held(claim.ref.number, claim.fence, "one") for claim in claims}
    planned.sent.clear()
    done = await planned.store.commit([run.complete("first", held=fences[run.id]) for run in runs])
    assert all(isinstance(result, Committed) for result in done)
    plan = await planned.plan()
    await planned.store.close()
    await engine.dispose()
    assert "pk_workflow_work_items" in plan
    assert "ix_workflow_work_items_held" not in plan


THROTTLE = """
UPDATE workflow_work_items SET throttle = :lane || CAST(priority AS text), slot_key = 'key', slot_limit = 1
WHERE due_at IS NOT NULL AND queue = 'mail'
"""


async def test_limited_work_is_found_by_its_lanes_and_not_where_other_work_is(planned: SentBy) -> None:
    async with planned.engine.begin() as connection:
        await connection.execute(text(THROTTLE), {"lane": "key\x1e\x1email\x1e"})
        await connection.execute(text("ANALYZE"))
    planned.sent.clear()
    claims = await planned.store.claim(request(queues=frozenset({"mail"})))
    assert len(claims) <= 1
    await planned.store.next_due(queues=frozenset({"mail"}))
    plan = await planned.plan()
    assert "ix_workflow_work_items_throttled" in plan
    assert "ix_workflow_work_items_slots" in plan
    assert not reads_all_of(plan, "workflow_work_items")
    assert not reads_all_of(plan, "workflow_instances")
