"""Commands about instances that wait for an operator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

import click
from msgspec import Struct

from workflows_core.cli.details import find_details, print_details, print_instance
from workflows_core.cli.engines import run_with_engine
from workflows_core.cli.options import (
    as_actor,
    as_json,
    data_changes,
    engine_factory,
    tenant_option,
    user_option,
)
from workflows_core.cli.output import print_json, print_table
from workflows_core.domain.types import Phase, WorkflowStatus
from workflows_core.engine.engine import WorkflowEngine
from workflows_core.engine.instances import WorkflowInstance
from workflows_core.errors import WorkflowsError
from workflows_core.ports.queries import InstanceRecord, Page, PageRequest

__all__ = ["dead_letters", "retry"]

_PAGE: Final = 100


class _Result(Struct):
    """What came of one instance."""

    id: UUID
    ok: bool
    status: WorkflowStatus | None = None
    phase: Phase | None = None
    error: str | None = None


class _All(NamedTuple):
    """All dead letters of a tenant, or those of one workflow."""

    tenant: str
    workflow: str | None


_Chosen: TypeAlias = tuple[UUID, ...] | _All


@click.group("dead-letters")
def dead_letters() -> None:
    """Look through instances that wait for an operator, retry or discard them.

    These are instances that have failed, and instances of which the undoing of a step has failed.
    """


@dead_letters.command("list")
@click.option("--workflow", help="Only of this workflow.")
@click.option("--tenant", help="Only of this tenant; all by default.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@click.option("--cursor", help="Goes on after an earlier page.")
@as_json
@click.pass_context
def list_letters(
    context: click.Context,
    *,
    workflow: str | None,
    tenant: str | None,
    limit: int,
    cursor: str | None,
    json_output: bool,
) -> None:
    """List dead letters, newest first."""

    async def find(engine: WorkflowEngine) -> Page[InstanceRecord]:
        page = PageRequest(limit=limit, cursor=cursor)
        return await engine.list_dead_letters(tenant=tenant, workflow_name=workflow, page=page)

    page = run_with_engine(engine_factory(context), find)
    if json_output:
        print_json({"items": page.items, "next_cursor": page.next_cursor})
        return
    print_table(
        ("ID", "WORKFLOW", "VERSION", "PARKED", "STEP", "ERROR", "UPDATED"),
        [
            (
                item.id,
                item.workflow_name,
                item.workflow_version,
                item.parked,
                item.error.step or None if item.error is not None else None,
                None if item.error is None else f"{item.error.type}: {_first_line(item.error.message)}",
                item.updated_at,
            )
            for item in page.items
        ],
    )
    if page.next_cursor is not None:
        click.echo(f"more: --cursor {page.next_cursor}")


@dead_letters.command("show")
@click.argument("instance_id", type=click.UUID)
@as_json
@click.pass_context
def show_letter(context: click.Context, *, instance_id: UUID, json_output: bool) -> None:
    """Show INSTANCE_ID with its error, its data, its history and the steps from which it can go on."""
    details = run_with_engine(engine_factory(context), lambda engine: find_details(engine, instance_id))
    print_details(details, json_output=json_output)


@dead_letters.command("retry")
@click.argument("instance_ids", metavar="[INSTANCE_ID]...", nargs=-1, type=click.UUID)
@click.option("--all", "everything", is_flag=True, help="All dead letters of the tenant.")
@click.option("--workflow", help="With --all: only of this workflow.")
@click.option("--from-step", help="Step to go on from; by default where it failed.")
@data_changes
@user_option
@tenant_option
@as_json
@click.pass_context
def retry_letters(
    context: click.Context,
    *,
    instance_ids: tuple[UUID, ...],
    everything: bool,
    workflow: str | None,
    from_step: str | None,
    data: dict[str, Any],
    delete: tuple[str, ...],
    user: str,
    tenant: str,
    json_output: bool,
) -> None:
    """Let dead letters go on.

    Without a step, what has failed is opened again, with all that the failure cancelled. With --from-step, the workflow goes on from
    there; a step inside a group can be named if the failure came from inside that group.
    """
    actor = as_actor(user, tenant)

    async def do(engine: WorkflowEngine, instance_id: UUID) -> WorkflowInstance:
        return await engine.retry(instance_id, from_step, data=data, delete=delete, actor=actor)

    chosen = _choice(instance_ids, everything=everything, tenant=tenant, workflow=workflow)
    _do_to_each(context, chosen, do, json_output=json_output)


@dead_letters.command("discard")
@click.argument("instance_ids", metavar="[INSTANCE_ID]...", nargs=-1, type=click.UUID)
@click.option("--all", "everything", is_flag=True, help="All dead letters of the tenant.")
@click.option("--workflow", help="With --all: only of this workflow.")
@click.option("--reason", default="", help="Why, for the audit trail.")
@user_option
@tenant_option
@as_json
@click.pass_context
def discard_letters(
    context: click.Context,
    *,
    instance_ids: tuple[UUID, ...],
    everything: bool,
    workflow: str | None,
    reason: str,
    user: str,
    tenant: str,
    json_output: bool,
) -> None:
    """Give dead letters up.

    An instance that has failed stays failed. An undoing that has failed is left out, and the next one follows.
    """
    actor = as_actor(user, tenant)

    async def do(engine: WorkflowEngine, instance_id: UUID) -> WorkflowInstance:
        return await engine.discard(instance_id, reason, actor=actor)

    chosen = _choice(instance_ids, everything=everything, tenant=tenant, workflow=workflow)
    _do_to_each(context, chosen, do, json_output=json_output)


@click.command()
@click.argument("instance_id", type=click.UUID)
@click.option("--from-step", help="Step to go on from; by default where it failed.")
@data_changes
@user_option
@tenant_option
@as_json
@click.pass_context
def retry(
    context: click.Context,
    *,
    instance_id: UUID,
    from_step: str | None,
    data: dict[str, Any],
    delete: tuple[str, ...],
    user: str,
    tenant: str,
    json_output: bool,
) -> None:
    """Let instance INSTANCE_ID, which has failed, go on; `workflows dead-letters retry` does so for many."""

    async def do(engine: WorkflowEngine) -> WorkflowInstance:
        return await engine.retry(instance_id, from_step, data=data, delete=delete, actor=as_actor(user, tenant))

    print_instance(run_with_engine(engine_factory(context), do), json_output=json_output)


def _choice(instance_ids: tuple[UUID, ...], *, everything: bool, tenant: str, workflow: str | None) -> _Chosen:
    """Which dead letters a command means.

    Raises:
        click.UsageError: It says nothing, or two things.
    """
    if everything == bool(instance_ids):
        msg = "which dead letters? give their ids, or --all"
        raise click.UsageError(msg)
    if workflow is not None and not everything:
        msg = "--workflow chooses among all of them: give --all with it"
        raise click.UsageError(msg)
    return _All(tenant, workflow) if everything else instance_ids


def _do_to_each(
    context: click.Context,
    chosen: _Chosen,
    do: Callable[[WorkflowEngine, UUID], Awaitable[WorkflowInstance]],
    *,
    json_output: bool,
) -> None:
    """Do something to one instance after the other, show what came of each, and exit with 1 if something could not be done."""

    async def work(engine: WorkflowEngine) -> list[_Result]:
        results: list[_Result] = []
        async for instance_id in _each(engine, chosen):
            try:
                instance = await do(engine, instance_id)
            except WorkflowsError as error:
                results.append(_Result(instance_id, ok=False, error=str(error)))
            else:
                results.append(_Result(instance_id, ok=True, status=instance.status, phase=instance.phase))
        return results

    results = run_with_engine(engine_factory(context), work)
    if json_output:
        print_json(results)
    else:
        print_table(
            ("ID", "DONE", "STATUS", "PHASE", "PROBLEM"),
            [(item.id, "yes" if item.ok else "no", item.status, item.phase, item.error) for item in results],
        )
    if not all(item.ok for item in results):
        context.exit(1)


async def _each(engine: WorkflowEngine, chosen: _Chosen) -> AsyncIterator[UUID]:
    """The chosen ids. Dead letters that come up meanwhile are newer than the first page and so are left alone."""
    if not isinstance(chosen, _All):
        for instance_id in dict.fromkeys(chosen):
            yield instance_id
        return
    cursor: str | None = None
    while True:
        page = await engine.list_dead_letters(
            tenant=chosen.tenant, workflow_name=chosen.workflow, page=PageRequest(limit=_PAGE, cursor=cursor)
        )
        for record in page.items:
            yield record.id
        cursor = page.next_cursor
        if cursor is None:
            return


def _first_line(text: str) -> str:
    return text.partition("\n")[0]
