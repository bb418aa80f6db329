"""Databases and a broker for the deployments of executors."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path

import psycopg
import pytest

from workflows_sqlalchemy import schema
from workflows_sqlalchemy.tables import metadata
from workflows_testing.servers import RedisServer, redis
from workflows_testing.servers.databases import PostgresDatabase


@pytest.fixture(scope="session")
def prepare_postgres_template() -> Callable[[PostgresDatabase], None]:
    """Migrate the database that the others are copied from."""
    return migrate


def migrate(database: PostgresDatabase) -> None:
    schema.upgrade_sync(database.url_for("psycopg"))


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a migrated database without content."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    schema.upgrade_sync(f"sqlite+aiosqlite:///{path}")
    return path.read_bytes()


@pytest.fixture
def sqlite_url(sqlite_template: bytes, tmp_path: Path) -> str:
    (tmp_path / "workflows.db").write_bytes(sqlite_template)
    return f"sqlite+aiosqlite:///{tmp_path / 'workflows.db'}"


@pytest.fixture
def postgres_url(postgres_database: PostgresDatabase) -> str:
    with psycopg.connect(postgres_database.url, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY")
    return postgres_database.url_for("asyncpg")


@pytest.fixture(scope="session")
def own_redis() -> Generator[RedisServer]:
    """A server that the tests may stop and empty, also where the environment names another one."""
    with redis(own=True) as started:
        yield started


@pytest.fixture
def broker_server(own_redis: RedisServer) -> RedisServer:
    """The same, running and empty."""
    own_redis.restart()
    return own_redis
