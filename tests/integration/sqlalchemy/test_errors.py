"""Errors of the database become those of the port, by their codes; what is unreachable is said with how to mend it."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from pathlib import Path

import asyncpg
import msgspec
import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from workflows_core.adapters.event_bus import EventBus
from workflows_core.adapters.in_process_executor import NullExecutor
from workflows_core.adapters.uuid7 import Uuid7Generator
from workflows_core.engine.commits import Commits
from workflows_core.errors import StoreUnavailableError
from workflows_core.ports.store import ClaimRequest, Committed
from workflows_sqlalchemy import SQLAlchemyWorkflowStore, create_store, schema
from workflows_sqlalchemy.errors import MIGRATE, Fault, fault_of, unavailable
from workflows_testing.builders import an_instance
from workflows_testing.servers import postgres
from workflows_testing.servers.databases import DatabaseTemplate, PostgresDatabase

FAULTS = [
    ("SELECT * FROM no_such_table", Fault.SCHEMA),
    ("SELECT no_such_column FROM workflow_events", Fault.SCHEMA),
    ("INSERT INTO workflow_work_items (number) VALUES (1)", Fault.REFUSED),
    ("UPDATE workflow_definitions SET name = NULL", Fault.REFUSED),
]
POSTGRES_FAULTS = [
    ("SELECT 1 / 0", Fault.REFUSED),
    ("SELECT CAST('x' AS integer)", Fault.REFUSED),
    ("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$", Fault.CONTENTION),
    ("DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$", Fault.CONTENTION),
    ("DO $$ BEGIN RAISE SQLSTATE '55P03'; END $$", Fault.CONTENTION),
    ("DO $$ BEGIN RAISE SQLSTATE '53300'; END $$", Fault.CONNECTION),
    ("DO $$ BEGIN RAISE SQLSTATE '53100'; END $$", Fault.CONNECTION),
    ("DO $$ BEGIN RAISE SQLSTATE '42501'; END $$", Fault.SCHEMA),
    ("DO $$ BEGIN RAISE SQLSTATE 'XX000'; END $$", Fault.OTHER),
    ("SELECT pg_terminate_backend(pg_backend_pid())", Fault.CONNECTION),
]


async def error_of(engine: AsyncEngine, statement: str) -> DBAPIError:
    with pytest.raises(DBAPIError) as caught:
        async with engine.begin() as connection:
            await connection.execute(text(statement))
    return caught.value


@pytest.mark.parametrize(("statement", "fault"), FAULTS)
async def test_an_error_is_known_by_its_code(statement: str, fault: Fault, url: str) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO workflow_definitions (hash, name, version, description, definition_json, created_at) "
                "SELECT '', '', '', '', '{}', " + ("0" if "sqlite" in url else "now()")
            )
        )
    error = await error_of(engine, statement)
    assert fault_of(error) is fault
    await engine.dispose()


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
@pytest.mark.parametrize(("statement", "fault"), POSTGRES_FAULTS)
async def test_an_error_of_postgresql_is_known_by_its_sqlstate(
    statement: str, fault: Fault, driver: str, postgres_database: PostgresDatabase
) -> None:
    engine = create_async_engine(postgres_database.url_for(driver))
    assert fault_of(await error_of(engine, statement)) is fault
    await engine.dispose()


async def test_a_locked_sqlite_file_is_contention(sqlite_url: str) -> None:
    one = create_async_engine(sqlite_url, isolation_level="AUTOCOMMIT")
    other = create_async_engine(sqlite_url, isolation_level="AUTOCOMMIT", connect_args={"timeout": 0})
    async with one.connect() as connection, other.connect() as second:
        await connection.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(DBAPIError) as caught:
            await second.exec_driver_sql("BEGIN IMMEDIATE")
        await connection.exec_driver_sql("ROLLBACK")
    assert fault_of(caught.value) is Fault.CONTENTION
    await one.dispose()
    await other.dispose()


async def test_an_error_of_the_schema_is_mended_by_migrations(empty_url: str) -> None:
    store = create_store(empty_url).store
    with pytest.raises(StoreUnavailableError) as caught:
        await store.commit([an_instance().start()])
    assert caught.value.mend == MIGRATE
    assert fault_of(caught.value.__cause__) is Fault.SCHEMA
    await store.close()


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_a_server_that_does_not_answer_is_unavailable(driver: str) -> None:
    store = create_store(f"postgresql+{driver}://nobody@127.0.0.1:1/nothing").store
    for ask in (store.check, store.now, lambda: store.commit([an_instance().start()])):
        with pytest.raises(StoreUnavailableError, match="check that the database runs and that its URL is right"):
            await ask()
    await store.close()


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_a_database_that_does_not_exist_is_unavailable(driver: str, postgres_database: PostgresDatabase) -> None:
    url = PostgresDatabase(postgres_database.server, "no_such_database").url_for(driver)
    store = create_store(url).store
    with pytest.raises(StoreUnavailableError, match="no_such_database"):
        await store.check()
    await store.close()


async def test_a_sqlite_file_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    store = create_store(f"sqlite+aiosqlite:///{tmp_path / 'missing' / 'workflows.db'}").store
    with pytest.raises(StoreUnavailableError, match="unable to open"):
        await store.check()
    await store.close()


@pytest.mark.parametrize(
    "url", ["mysql+aiomysql://localhost/x", "sqlite+pysqlcipher:///x.db", "not a url", "postgresql+psycopg2://x/y"]
)
def test_a_database_that_is_not_served_is_refused_with_those_that_are(url: str) -> None:
    with pytest.raises(StoreUnavailableError, match=r"sqlite\+aiosqlite"):
        create_store(url)


def test_what_is_said_of_an_error_never_shows_values() -> None:
    error = DBAPIError(
        "INSERT INTO t VALUES (:password)", {"password": "secret"}, Exception("first line\nDETAIL: secret")
    )
    assert "secret" not in str(unavailable(error))
    assert "first line" in str(unavailable(error))


@pytest.fixture(scope="module")
def own_database() -> Generator[PostgresDatabase]:
    """A migrated database on a server that may be restarted."""
    with postgres(own=True) as server:
        template = DatabaseTemplate(server, lambda database: schema.upgrade_sync(database.url_for("psycopg")))
        with template.database() as database:
            yield database
        template.close()


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_a_restart_of_the_server_is_outlasted_without_an_error(
    driver: str, own_database: PostgresDatabase
) -> None:
    store = create_store(own_database.url_for(driver), pool_size=3).store
    commits = Commits(store, Uuid7Generator(), NullExecutor(), EventBus(), soon_s=1.0)
    runs = [an_instance() for _ in range(6)]
    await asyncio.gather(*(store.commit([run.start()]) for run in runs[:3]))
    await asyncio.to_thread(own_database.server.restart)
    for batch in (runs[3:4], runs[4:]):
        results = await asyncio.gather(*(commits.commit(run.start().transition) for run in batch))
        assert all(isinstance(result, Committed) for result in results)
        await asyncio.to_thread(own_database.server.restart)
        assert await store.claim(ClaimRequest(worker="worker-1", limit=1, lease_s=1))
        await asyncio.to_thread(own_database.server.restart)
    for run in runs:
        assert await store.load(run.id) is not None
    await store.close()


async def test_a_write_that_the_database_refuses_harms_no_other_of_its_batch(store: SQLAlchemyWorkflowStore) -> None:
    runs = [an_instance() for _ in range(5)]
    writes = [run.start() for run in runs]
    broken = writes[2].transition
    ((number, item),) = broken.work.items()
    assert item is not None
    too_large = msgspec.structs.replace(item, priority=2**70)
    writes[2] = msgspec.structs.replace(writes[2], transition=msgspec.structs.replace(broken, work={number: too_large}))
    with pytest.raises(Exception):  # noqa: B017 - what it is depends on the driver
        await store.commit(writes)
    found = [await store.load(run.id) is not None for run in runs]
    assert found == [True, True, False, True, True]


async def test_a_new_connection_that_is_lost_while_it_is_set_up_is_an_unreachable_database(postgres_url: str) -> None:
    def lose(*_: object) -> None:
        message = "connection is closed"
        raise asyncpg.InterfaceError(message)

    store = create_store(postgres_url).store
    event.listen(store.backend.engine, "connect", lose)
    with pytest.raises(StoreUnavailableError, match="connection is closed"):
        await store.next_due()
    with pytest.raises(StoreUnavailableError, match="connection is closed"):
        await store.now()
    with pytest.raises(StoreUnavailableError, match="connection is closed"):
        await store.claim(ClaimRequest(worker="worker-1", limit=1, lease_s=30))
    await store.close()
