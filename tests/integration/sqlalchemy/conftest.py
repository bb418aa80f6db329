"""Databases for the tests of the SQLAlchemy store: SQLite files, and PostgreSQL through both drivers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from pathlib import Path

import psycopg
import pytest

from workflows_sqlalchemy import (
    SQLAlchemyWorkflowQueries,
    SQLAlchemyWorkflowStore,
    StoreAndQueries,
    create_store,
    schema,
)
from workflows_sqlalchemy.tables import metadata
from workflows_testing.servers import PostgresServer
from workflows_testing.servers.databases import DatabaseTemplate, PostgresDatabase

DATABASES = ("sqlite", "asyncpg", "psycopg")


def migrate(database: PostgresDatabase) -> None:
    schema.upgrade_sync(database.url_for("psycopg"))


@pytest.fixture(scope="session")
def prepare_postgres_template() -> Callable[[PostgresDatabase], None]:
    """Migrate the database that the others are copied from."""
    return migrate


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a migrated database without content."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    schema.upgrade_sync(f"sqlite+aiosqlite:///{path}")
    return path.read_bytes()


@pytest.fixture
def sqlite_url(sqlite_template: bytes, tmp_path: Path) -> str:
    """A migrated SQLite file without content."""
    path = tmp_path / "workflows.db"
    path.write_bytes(sqlite_template)
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture
def emptied_postgres(postgres_database: PostgresDatabase) -> PostgresDatabase:
    """The PostgreSQL database of the module, migrated and without content."""
    with psycopg.connect(postgres_database.url, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY")
    return postgres_database


@pytest.fixture
def postgres_url(emptied_postgres: PostgresDatabase) -> str:
    """A migrated PostgreSQL database without content, through asyncpg."""
    return emptied_postgres.url_for("asyncpg")


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest) -> str:
    """A migrated database without content, of each kind and through each driver."""
    if request.param == "sqlite":
        found: str = request.getfixturevalue("sqlite_url")
        return found
    database: PostgresDatabase = request.getfixturevalue("emptied_postgres")
    return database.url_for(request.param)


@pytest.fixture
async def sides(url: str) -> AsyncGenerator[StoreAndQueries]:
    """Store and queries of that database, with the clock of the database."""
    sides = create_store(url, pool_size=5)
    yield sides
    await sides.store.close()


@pytest.fixture
def store(sides: StoreAndQueries) -> SQLAlchemyWorkflowStore:
    return sides.store


@pytest.fixture
def queries(sides: StoreAndQueries) -> SQLAlchemyWorkflowQueries:
    return sides.queries


@pytest.fixture
def empty_postgres(postgres_service: PostgresServer) -> Generator[PostgresDatabase]:
    """A PostgreSQL database without any table."""
    template = DatabaseTemplate(postgres_service, lambda _database: None)
    with template.database() as database:
        yield database
    template.close()


@pytest.fixture(params=DATABASES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without any table, of each kind and through each driver."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}"
    database: PostgresDatabase = request.getfixturevalue("empty_postgres")
    return database.url_for(request.param)
