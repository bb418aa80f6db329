"""Databases, workers and the length of the chaos: with ``WORKFLOWS_CHAOS_ROUNDS=20`` it lasts twenty times as long."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Generator
from pathlib import Path

import pytest
from tests.chaos.load import make_engine
from tests.chaos.world import World

from workflows_sqlalchemy import schema
from workflows_testing.servers import PostgresServer, postgres
from workflows_testing.servers.databases import DatabaseTemplate, PostgresDatabase

LEASE_S = 1.5
ROUNDS = int(os.environ.get("WORKFLOWS_CHAOS_ROUNDS", "1"))


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give every test here the time that its rounds may take."""
    item.add_marker(pytest.mark.timeout(60 + 60 * ROUNDS))


@pytest.fixture(scope="session")
def rounds() -> int:
    """How long chaos lasts: 1 unless ``WORKFLOWS_CHAOS_ROUNDS`` says otherwise."""
    return ROUNDS


@pytest.fixture(scope="session")
def server() -> Generator[PostgresServer]:
    """A server that these tests may crash."""
    with postgres(settings={"max_connections": "100"}, own=True) as started:
        yield started


@pytest.fixture(scope="session")
def template(server: PostgresServer) -> Generator[DatabaseTemplate]:
    template = DatabaseTemplate(server, lambda database: schema.upgrade_sync(database.url_for("psycopg")))
    yield template
    template.close()


@pytest.fixture
def database(template: DatabaseTemplate) -> Generator[PostgresDatabase]:
    with template.database() as database:
        yield database


@pytest.fixture
def postgres_url(database: PostgresDatabase) -> str:
    return database.url_for("asyncpg")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    schema.upgrade_sync(f"sqlite+aiosqlite:///{path}")
    return path.read_bytes()


@pytest.fixture
def sqlite_url(sqlite_template: bytes, tmp_path: Path) -> str:
    path = tmp_path / "workflows.db"
    path.write_bytes(sqlite_template)
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """A migrated database without content, of each kind."""
    found: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return found


OpenWorld = Callable[..., World]


@pytest.fixture
async def open_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[OpenWorld]:
    """Opens a world on a database; what still runs at its end is killed."""
    opened: list[World] = []

    def open_on(url: str, **environment: str) -> World:
        variables = {
            "CHAOS_URL": url,
            "CHAOS_LEASE_S": str(LEASE_S),
            "CHAOS_EFFECTS": str(tmp_path / "effects.jsonl"),
            **environment,
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        opened.append(World(make_engine(url), url, tmp_path, variables))
        return opened[-1]

    yield open_on
    for world in opened:
        for worker in world.workers:
            worker.clean_up()
        await world.engine.aclose()


@pytest.fixture
async def world(url: str, open_world: OpenWorld) -> World:
    """A world on each kind of database."""
    return open_world(url)
