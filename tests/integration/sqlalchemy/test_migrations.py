"""The migrations make the tables that the store wants, on each database, and touch nothing else."""

from __future__ import annotations

import asyncio
import re

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from click.testing import CliRunner
from sqlalchemy import inspect, text
from sqlalchemy.ext.asyncio import create_async_engine

from workflows_core.errors import StoreUnavailableError
from workflows_sqlalchemy import create_store, schema
from workflows_sqlalchemy.cli import database
from workflows_sqlalchemy.postgresql.row_types import ROWS, fields_of, type_name
from workflows_sqlalchemy.tables import metadata
from workflows_testing.builders import a_graph
from workflows_testing.servers.databases import PostgresDatabase


async def tables_of(url: str) -> set[str]:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    await engine.dispose()
    return set(names)


async def execute(url: str, *statements: str) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()


def test_the_newest_migration_is_the_one_that_the_store_wants() -> None:
    config = Config()
    config.set_main_option("script_location", "workflows_sqlalchemy:migrations")
    assert ScriptDirectory.from_config(config).get_heads() == [schema.HEAD]


async def test_the_migrations_make_exactly_the_tables_of_the_models(empty_url: str) -> None:
    await schema.upgrade(empty_url)
    assert await tables_of(empty_url) == set(schema.TABLES)
    assert await schema.check(empty_url) == []
    assert await schema.current(empty_url) == schema.HEAD


SQLITE_SCHEMA = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name <> :version"
POSTGRES_SCHEMA = """
SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> :version
UNION ALL SELECT conname, pg_get_constraintdef(c.oid) FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
    WHERE t.relname LIKE 'workflow\\_%'
UNION ALL SELECT relname, array_to_string(reloptions, ',') FROM pg_class
    WHERE relkind = 'r' AND relname LIKE 'workflow\\_%'
"""


async def schema_of(url: str) -> dict[str, list[str]]:
    """Words and punctuation of everything that the catalogue says, by name, in any order."""
    engine = create_async_engine(url)
    query = SQLITE_SCHEMA if "sqlite" in url else POSTGRES_SCHEMA
    async with engine.connect() as connection:
        rows = await connection.execute(text(query), {"version": schema.VERSION_TABLE})
        found = {name: sorted(re.findall(r"[^\s,()]+", definition or "")) for name, definition in rows}
    await engine.dispose()
    return found


async def test_indexes_and_constraints_are_those_of_the_models_to_the_letter(empty_url: str) -> None:
    await schema.upgrade(empty_url)
    migrated = await schema_of(empty_url)
    await schema.downgrade(empty_url, "base")
    engine = create_async_engine(empty_url)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    await engine.dispose()
    assert await schema_of(empty_url) == migrated
    assert len(migrated) > 20


async def row_types_of(url: str) -> dict[str, dict[str, str]]:
    """The composite types of rows, with the type of each field in order."""
    engine = create_async_engine(url)
    query = """
        SELECT t.typname, a.attname, format_type(a.atttypid, a.atttypmod)
        FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid
        WHERE t.typname LIKE 'workflow\\_row\\_%' ORDER BY t.typname, a.attnum
    """
    found: dict[str, dict[str, str]] = {}
    async with engine.connect() as connection:
        for name, field, kind in await connection.execute(text(query)):
            found.setdefault(name, {})[field] = kind.replace("timestamp with time zone", "timestamptz")
    await engine.dispose()
    return found


async def test_the_row_types_have_the_fields_of_the_rows(empty_postgres: PostgresDatabase) -> None:
    url = empty_postgres.url_for("asyncpg")
    await schema.upgrade(url)
    found = await row_types_of(url)
    assert found == {type_name(name): fields_of(name) for name in ROWS}
    assert [list(fields) for fields in found.values()] == [list(fields_of(name)) for name in sorted(ROWS)]
    await schema.downgrade(url, "base")
    assert await row_types_of(url) == {}


async def test_an_upgrade_of_what_is_up_to_date_changes_nothing(empty_url: str) -> None:
    await schema.upgrade(empty_url)
    store = create_store(empty_url).store
    await store.publish([a_graph()])
    await schema.upgrade(empty_url)
    assert await store.graph(a_graph().hash) == a_graph()
    await store.close()


async def test_a_downgrade_to_base_removes_everything(empty_url: str) -> None:
    await schema.upgrade(empty_url)
    await schema.downgrade(empty_url, "base")
    assert await tables_of(empty_url) == {schema.VERSION_TABLE}
    assert await schema.current(empty_url) is None
    await schema.upgrade(empty_url)
    assert await schema.check(empty_url) == []


async def test_tables_of_the_application_are_left_alone(empty_url: str) -> None:
    await execute(
        empty_url,
        "CREATE TABLE invoices (id integer)",
        "CREATE TABLE alembic_version (version_num varchar(32))",
        "INSERT INTO alembic_version VALUES ('theirs')",
    )
    await schema.upgrade(empty_url)
    assert await schema.check(empty_url) == []
    await schema.downgrade(empty_url, "base")
    assert await tables_of(empty_url) == {"invoices", "alembic_version", schema.VERSION_TABLE}


async def test_a_missing_column_and_a_missing_index_are_named(empty_url: str) -> None:
    await schema.upgrade(empty_url)
    await execute(
        empty_url,
        "DROP INDEX ix_workflow_work_items_due",
        "ALTER TABLE workflow_human_tasks DROP COLUMN comment",
    )
    differences = "\n".join(await schema.check(empty_url))
    assert "ix_workflow_work_items_due" in differences
    assert "workflow_human_tasks" in differences
    assert "comment" in differences


async def test_several_processes_may_upgrade_at_once(empty_url: str) -> None:
    await asyncio.gather(*(schema.upgrade(empty_url) for _ in range(4)))
    assert await schema.check(empty_url) == []


async def test_the_engine_of_an_application_may_be_migrated(empty_url: str) -> None:
    engine = create_async_engine(empty_url)
    await schema.upgrade(engine)
    assert await schema.current(engine) == schema.HEAD
    await engine.dispose()


async def test_a_store_without_tables_says_how_to_make_them(empty_url: str) -> None:
    store = create_store(empty_url).store
    with pytest.raises(StoreUnavailableError, match="workflows database upgrade"):
        await store.check()
    await schema.upgrade(empty_url)
    await store.check()
    await store.close()


async def test_a_store_of_another_revision_says_which_and_how_to_mend_it(empty_url: str) -> None:
    await schema.upgrade(empty_url)
    await execute(empty_url, f"UPDATE {schema.VERSION_TABLE} SET version_num = '0000'")
    store = create_store(empty_url).store
    with pytest.raises(StoreUnavailableError, match=f"revision 0000.*wants {schema.HEAD}.*workflows database upgrade"):
        await store.check()
    await store.close()


def test_the_commands_migrate_and_tell_where_the_tables_are(empty_url: str) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(database, ["--url", empty_url, *arguments])
        return result.exit_code, result.output

    assert run("current") == (0, "no tables\n")
    assert run("upgrade") == (0, f"the tables were at nothing and are at {schema.HEAD}\n")
    assert run("current") == (0, f"{schema.HEAD} (newest)\n")
    assert run("check") == (0, "the tables are as they should be\n")
    assert run("upgrade", "unknown")[0] == 1
    assert run("downgrade", "base", "--yes") == (0, f"the tables were at {schema.HEAD} and are at nothing\n")
    code, differences = run("check")
    assert code == 1
    assert all(name in differences for name in metadata.tables)


def test_the_commands_ask_for_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORKFLOWS_DATABASE_URL", raising=False)
    result = CliRunner().invoke(database, ["current"])
    assert result.exit_code == 2
    assert "--url" in result.output


def test_a_downgrade_asks_before_it_removes(empty_url: str) -> None:
    schema.upgrade_sync(empty_url)
    result = CliRunner().invoke(database, ["--url", empty_url, "downgrade", "base"], input="n\n")
    assert result.exit_code == 1
    assert schema.current_sync(empty_url) == schema.HEAD
