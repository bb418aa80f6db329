"""The commands ``workflows database …``, mounted through the entry point group ``workflows.cli``."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click
from alembic.util import CommandError
from sqlalchemy.ext.asyncio import AsyncEngine

from workflows_core.errors import WorkflowsError
from workflows_sqlalchemy import schema
from workflows_sqlalchemy.store import SQLAlchemyWorkflowStore

__all__ = ["database"]

T = TypeVar("T")


@click.group()
@click.option(
    "--url",
    envvar="WORKFLOWS_DATABASE_URL",
    help="URL of the database; else that of the engine [env: WORKFLOWS_DATABASE_URL].",
)
@click.pass_context
def database(context: click.Context, url: str | None) -> None:
    """Make the tables, and keep them up to date."""
    context.meta["workflows.database.url"] = url


@database.command()
@click.argument("revision", default="head")
@click.pass_context
def upgrade(context: click.Context, revision: str) -> None:
    """Bring the tables up to REVISION, the newest unless given; what is in them stays."""
    before, after = _run(context, lambda where: _migrated(where, lambda: schema.upgrade(where, revision)))
    click.echo(f"the tables were at {before or 'nothing'} and are at {after}")


@database.command()
@click.argument("revision")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def downgrade(context: click.Context, revision: str, yes: bool) -> None:
    """Take the tables back to REVISION; ``base`` removes them with all that is in them."""
    if not yes:
        click.confirm(f"What revision {revision} does not know will be lost. Go on?", abort=True)
    before, after = _run(context, lambda where: _migrated(where, lambda: schema.downgrade(where, revision)))
    click.echo(f"the tables were at {before or 'nothing'} and are at {after or 'nothing'}")


@database.command()
@click.pass_context
def current(context: click.Context) -> None:
    """Tell the revision of the tables."""
    revision = _run(context, schema.current)
    click.echo(f"{revision or 'no tables'}{' (newest)' if revision == schema.HEAD else ''}")


@database.command()
@click.pass_context
def check(context: click.Context) -> None:
    """Compare the tables with what this version wants; exit code 1 if they differ."""
    differences = _run(context, schema.check)
    for difference in differences:
        click.echo(difference)
    if differences:
        raise click.exceptions.Exit(1)
    click.echo("the tables are as they should be")


async def _migrated(where: str | AsyncEngine, migrate: Callable[[], Awaitable[None]]) -> tuple[str | None, str | None]:
    before = await schema.current(where)
    await migrate()
    return before, await schema.current(where)


def _run(context: click.Context, use: Callable[[str | AsyncEngine], Awaitable[T]]) -> T:
    """Run something with the database of ``--url``, or else of the engine that the outer group knows."""

    async def go() -> T:
        url: str | None = context.meta["workflows.database.url"]
        if url is not None:
            return await use(url)
        made: Any = context.obj() if callable(context.obj) else None
        engine = await made if inspect.isawaitable(made) else made
        store = getattr(engine, "store", None)
        if not isinstance(store, SQLAlchemyWorkflowStore):
            msg = "which database? give --url, set WORKFLOWS_DATABASE_URL, or name an engine that uses one"
            raise click.UsageError(msg)
        try:
            return await use(store.backend.database)
        finally:
            await engine.aclose()

    try:
        return asyncio.run(go())
    except (WorkflowsError, CommandError) as error:
        raise click.ClickException(str(error)) from error
