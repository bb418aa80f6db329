"""`SQLAlchemyWorkflowStore` and its queries keep every rule of their ports, on each database through each driver."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from workflows_core.ports.clock import Clock
from workflows_core.ports.queries import WorkflowQueries
from workflows_core.ports.store import WorkflowStore
from workflows_sqlalchemy import (
    SQLAlchemyTransactions,
    SQLAlchemyWorkflowQueries,
    SQLAlchemyWorkflowStore,
    StoreAndQueries,
    create_store,
    schema,
)
from workflows_sqlalchemy.postgresql.leases import PostgreSQLLeaseKeeper
from workflows_sqlalchemy.sqlite.leases import SQLiteLeaseKeeper
from workflows_sqlalchemy.tables import metadata
from workflows_testing.conformance import (
    LeaseKeeperConformance,
    TransactionsConformance,
    WorkflowQueriesConformance,
    WorkflowStoreConformance,
)
from workflows_testing.conformance.transactions import OpenSession
from workflows_testing.servers.databases import PostgresDatabase


@pytest.fixture(scope="session")
def prepare_postgres_template() -> Callable[[PostgresDatabase], None]:
    """Migrate the database that the others are copied from."""
    return migrate


@pytest.fixture(scope="module")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a migrated database without content."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    schema.upgrade_sync(f"sqlite+aiosqlite:///{path}")
    return path.read_bytes()


def migrate(database: PostgresDatabase) -> None:
    schema.upgrade_sync(database.url_for("psycopg"))


class OnDatabase:
    """The stores of one database that is empty before each test."""

    @pytest.fixture
    async def sides(self, url: str, clock: Clock) -> AsyncGenerator[StoreAndQueries]:
        sides = create_store(url, clock=clock, pool_size=5)
        yield sides
        await sides.store.close()

    @pytest.fixture
    def store(self, sides: StoreAndQueries) -> WorkflowStore:
        return sides.store

    @pytest.fixture
    def queries(self, sides: StoreAndQueries) -> WorkflowQueries:
        return sides.queries

    @pytest.fixture
    async def open_session(self, url: str) -> AsyncGenerator[OpenSession]:
        engine = create_async_engine(url)
        yield lambda: AsyncSession(engine)
        await engine.dispose()

    @pytest.fixture
    async def peer(self, url: str, clock: Clock) -> AsyncGenerator[WorkflowStore]:
        peer = create_store(url, clock=clock, pool_size=5).store
        yield peer
        await peer.close()


class OnSQLite(OnDatabase):
    @pytest.fixture
    def url(self, sqlite_template: bytes, tmp_path: Path) -> str:
        (tmp_path / "workflows.db").write_bytes(sqlite_template)
        return f"sqlite+aiosqlite:///{tmp_path / 'workflows.db'}"


class OnPostgreSQL(OnDatabase):
    driver: str

    @pytest.fixture
    def url(self, postgres_database: PostgresDatabase) -> str:
        with psycopg.connect(postgres_database.url, autocommit=True) as connection:
            connection.execute(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY")
        return postgres_database.url_for(self.driver)


class OnAsyncpg(OnPostgreSQL):
    driver = "asyncpg"


class OnPsycopg(OnPostgreSQL):
    driver = "psycopg"


class TestStoreOnSQLite(OnSQLite, WorkflowStoreConformance):
    adapter = SQLAlchemyWorkflowStore


class TestQueriesOnSQLite(OnSQLite, WorkflowQueriesConformance):
    adapter = SQLAlchemyWorkflowQueries


class TestStoreOnPostgreSQLThroughAsyncpg(OnAsyncpg, WorkflowStoreConformance):
    adapter = SQLAlchemyWorkflowStore


class TestQueriesOnPostgreSQLThroughAsyncpg(OnAsyncpg, WorkflowQueriesConformance):
    adapter = SQLAlchemyWorkflowQueries


class TestStoreOnPostgreSQLThroughPsycopg(OnPsycopg, WorkflowStoreConformance):
    adapter = SQLAlchemyWorkflowStore


class TestQueriesOnPostgreSQLThroughPsycopg(OnPsycopg, WorkflowQueriesConformance):
    adapter = SQLAlchemyWorkflowQueries


class TestLeaseKeeperOnSQLite(OnSQLite, LeaseKeeperConformance):
    adapter = SQLiteLeaseKeeper


class TestLeaseKeeperOnPostgreSQLThroughAsyncpg(OnAsyncpg, LeaseKeeperConformance):
    adapter = PostgreSQLLeaseKeeper


class TestLeaseKeeperOnPostgreSQLThroughPsycopg(OnPsycopg, LeaseKeeperConformance):
    adapter = PostgreSQLLeaseKeeper


class TestTransactionsOnSQLite(OnSQLite, TransactionsConformance):
    adapter = SQLAlchemyTransactions


class TestTransactionsOnPostgreSQLThroughAsyncpg(OnAsyncpg, TransactionsConformance):
    adapter = SQLAlchemyTransactions


class TestTransactionsOnPostgreSQLThroughPsycopg(OnPsycopg, TransactionsConformance):
    adapter = SQLAlchemyTransactions
