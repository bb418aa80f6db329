from __future__ import annotations

from collections.abc import Generator

import psycopg
import pytest

from workflows_testing.servers import PostgresServer
from workflows_testing.servers.databases import DatabaseTemplate, PostgresDatabase


def execute(database: PostgresDatabase, statement: str) -> None:
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(statement)


def rows(database: PostgresDatabase) -> list[tuple[str]]:
    with psycopg.connect(database.url) as connection:
        return connection.execute("SELECT name FROM people ORDER BY name").fetchall()


def database_names(server: PostgresServer) -> set[str]:
    with psycopg.connect(server.url) as connection:
        return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}


def create_people(database: PostgresDatabase) -> None:
    execute(database, "CREATE TABLE people (name text)")
    execute(database, "INSERT INTO people VALUES ('everybody')")


@pytest.fixture
def template(postgres_service: PostgresServer) -> Generator[DatabaseTemplate]:
    template = DatabaseTemplate(postgres_service, create_people)
    yield template
    template.close()


def test_copies_start_from_the_template_and_do_not_see_each_other(template: DatabaseTemplate) -> None:
    with template.database() as first, template.database() as second:
        execute(first, "INSERT INTO people VALUES ('Ann')")
        assert rows(first) == [("Ann",), ("everybody",)]
        assert rows(second) == [("everybody",)]
    with template.database() as third:
        assert rows(third) == [("everybody",)]


def test_the_template_is_prepared_when_first_needed_and_once(postgres_service: PostgresServer) -> None:
    prepared: list[str] = []
    template = DatabaseTemplate(postgres_service, lambda database: prepared.append(database.name))
    assert prepared == []
    with template.database(), template.database():
        pass
    assert len(prepared) == 1
    template.close()


def test_everything_is_dropped_in_the_end(postgres_service: PostgresServer) -> None:
    before = database_names(postgres_service)
    template = DatabaseTemplate(postgres_service, create_people)
    with template.database() as database:
        assert len(database_names(postgres_service) - before) == 2
        lingering = psycopg.connect(database.url)
    template.close()
    assert database_names(postgres_service) == before
    lingering.close()


def test_a_connection_left_open_by_the_preparation_does_not_hinder_the_copies(postgres_service: PostgresServer) -> None:
    left_open: list[psycopg.Connection] = []
    template = DatabaseTemplate(postgres_service, lambda database: left_open.append(psycopg.connect(database.url)))
    with template.database(), template.database():
        pass
    template.close()
    left_open[0].close()


def test_a_failed_preparation_leaves_no_database_and_may_be_repeated(postgres_service: PostgresServer) -> None:
    before = database_names(postgres_service)
    outcomes = [LookupError("no migrations here"), None]

    def prepare(database: PostgresDatabase) -> None:
        if outcome := outcomes.pop(0):
            raise outcome

    template = DatabaseTemplate(postgres_service, prepare)
    with pytest.raises(LookupError, match="no migrations here"), template.database():
        pass
    assert database_names(postgres_service) == before
    with template.database() as database:
        psycopg.connect(database.url).close()
    template.close()


def test_the_url_can_name_a_driver(template: DatabaseTemplate) -> None:
    with template.database() as database:
        assert database.url_for("asyncpg") == database.url.replace("postgresql://", "postgresql+asyncpg://")
