"""Commands about instances."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import click

from workflows_core.cli.details import find_details, print_details, print_instance
from workflows_core.cli.engines import run_with_engine
from workflows_core.cli.options import (
    as_actor,
    as_json,
    engine_factory,
    json_document,
    json_value,
    moment,
    tenant_option,
    user_option,
)
from workflows_core.cli.output import print_json, print_table
from workflows_core.domain.types import WorkflowStatus
from workflows_core.engine.engine import WorkflowEngine
from workflows_core.engine.instances import WorkflowInstance
from workflows_core.ports.queries import InstanceFilter, InstanceRecord, Page, PageRequest, UnservedWork

__all__ = ["cancel", "list_instances", "show", "signal", "stalled", "start", "unserved"]


@click.command()
@click.argument("name")
@click.option("--data", callback=json_document, metavar="JSON|@FILE", help="Initial data.")
@click.option("--version", help="Version; the newest by default.")
@click.option("--key", help="Idempotency key: a second start with it finds the first.")
@click.option(
    "--deadline", type=click.FloatRange(min=0, min_open=True), help="Seconds after which it fails if it is not over."
)
@click.option("--priority", type=int, help="Of its work, higher is taken first; the workflow's own by default.")
@click.option("--delay", type=click.FloatRange(min=0), help="Seconds until it begins.")
@click.option("--at", "start_at", callback=moment, metavar="MOMENT", help="When it begins: ISO 8601 with an offset.")
@user_option
@tenant_option
@as_json
@click.pass_context
def start(
    context: click.Context,
    *,
    name: str,
    data: dict[str, Any],
    version: str | None,
    key: str | None,
    deadline: float | None,
    priority: int | None,
    delay: float | None,
    start_at: datetime | None,
    user: str,
    tenant: str,
    json_output: bool,
) -> None:
    """Start an instance of workflow NAME."""

    async def begin(engine: WorkflowEngine) -> WorkflowInstance:
        return await engine.start_workflow(
            name,
            data,
            version=version,
            idempotency_key=key,
            actor=as_actor(user, tenant),
            deadline=None if deadline is None else timedelta(seconds=deadline),
            priority=priority,
            delay=None if delay is None else timedelta(seconds=delay),
            start_at=start_at,
        )

    print_instance(run_with_engine(engine_factory(context), begin), json_output=json_output)


@click.command("list")
@click.option("--workflow", help="Only of this workflow.")
@click.option("--status", "statuses", multiple=True, type=click.Choice([status.value for status in WorkflowStatus]))
@click.option("--parked", is_flag=True, help="Only those that wait for an operator.")
@click.option("--tenant", help="Only of this tenant; all by default.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@click.option("--cursor", help="Goes on after an earlier page.")
@as_json
@click.pass_context
def list_instances(
    context: click.Context,
    *,
    workflow: str | None,
    statuses: tuple[str, ...],
    parked: bool,
    tenant: str | None,
    limit: int,
    cursor: str | None,
    json_output: bool,
) -> None:
    """List instances, newest first."""

    async def find(engine: WorkflowEngine) -> Page[InstanceRecord]:
        where = InstanceFilter(
            tenant=tenant,
            workflow_name=workflow,
            statuses=tuple(map(WorkflowStatus, statuses)) or None,
            is_parked=True if parked else None,
        )
        return await engine.queries.list_instances(where, PageRequest(limit=limit, cursor=cursor))

    page = run_with_engine(engine_factory(context), find)
    if json_output:
        print_json({"items": page.items, "next_cursor": page.next_cursor})
        return
    print_table(
        ("ID", "WORKFLOW", "VERSION", "STATUS", "STEP", "STARTED"),
        [
            (item.id, item.workflow_name, item.workflow_version, item.status, item.current_step, item.started_at)
            for item in page.items
        ],
    )
    if page.next_cursor is not None:
        click.echo(f"more: --cursor {page.next_cursor}")


@click.command()
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 1000))
@as_json
@click.pass_context
def stalled(context: click.Context, *, limit: int, json_output: bool) -> None:
    """List instances that nothing would move any more; there should be none. See also `unserved`.

    Those are not over, and have neither work nor an open task nor a call to wait for. One that is found is a fault of workflows: please report it,
    with its history (`workflows show`).
    """

    async def find(engine: WorkflowEngine) -> list[str]:
        return [str(found) for found in await engine.find_stalled(limit=limit)]

    found = run_with_engine(engine_factory(context), find)
    if json_output:
        print_json(found)
    else:
        print_table(("ID",), [(instance_id,) for instance_id in found])


@click.command()
@click.argument("instance_id", type=click.UUID)
@as_json
@click.pass_context
def show(context: click.Context, *, instance_id: UUID, json_output: bool) -> None:
    """Show instance INSTANCE_ID with its data and history."""
    details = run_with_engine(engine_factory(context), lambda engine: find_details(engine, instance_id))
    print_details(details, json_output=json_output)


@click.command()
@click.argument("instance_id", type=click.UUID)
@click.option("--reason", default="", help="Why, for the audit trail.")
@click.option("--terminate", is_flag=True, help="End it at once, and undo nothing.")
@user_option
@tenant_option
@as_json
@click.pass_context
def cancel(
    context: click.Context,
    *,
    instance_id: UUID,
    reason: str,
    terminate: bool,
    user: str,
    tenant: str,
    json_output: bool,
) -> None:
    """Cancel instance INSTANCE_ID. What it has done is undone first, where its steps can be undone."""

    async def stop(engine: WorkflowEngine) -> WorkflowInstance:
        end = engine.terminate_workflow if terminate else engine.cancel_workflow
        return await end(instance_id, reason, actor=as_actor(user, tenant))

    print_instance(run_with_engine(engine_factory(context), stop), json_output=json_output)


@click.command()
@click.argument("instance_id", type=click.UUID)
@click.argument("name")
@click.option("--payload", callback=json_value, metavar="JSON|@FILE", help="What it brings; nothing by default.")
@click.option("--dedup-key", metavar="KEY", help="A second signal with it changes nothing.")
@user_option
@tenant_option
@as_json
@click.pass_context
def signal(
    context: click.Context,
    *,
    instance_id: UUID,
    name: str,
    payload: Any,
    dedup_key: str | None,
    user: str,
    tenant: str,
    json_output: bool,
) -> None:
    """Send signal NAME to instance INSTANCE_ID.

    The step that has waited longest for the name takes it; without one it is kept for the next that waits.
    """

    async def send(engine: WorkflowEngine) -> WorkflowInstance:
        return await engine.signal(instance_id, name, payload, dedup_key=dedup_key, actor=as_actor(user, tenant))

    print_instance(run_with_engine(engine_factory(context), send), json_output=json_output)


@click.command()
@click.option("--overdue", default=60.0, show_default=True, type=click.FloatRange(0), help="Seconds that it is due.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 1000))
@as_json
@click.pass_context
def unserved(context: click.Context, *, overdue: float, limit: int, json_output: bool) -> None:
    """List work that is due and that nobody takes.

    No worker that runs has the code of its workflow and serves its queue, or all that do are busy. Start one: `workflows worker`.
    """

    async def find(engine: WorkflowEngine) -> list[UnservedWork]:
        return list(await engine.find_unserved(overdue=timedelta(seconds=overdue), limit=limit))

    found = run_with_engine(engine_factory(context), find)
    if json_output:
        print_json(found)
    else:
        print_table(
            ("INSTANCE", "WORKFLOW", "VERSION", "STEP", "QUEUE", "DUE SINCE"),
            [
                (
                    one.instance_id,
                    one.workflow_name,
                    one.workflow_version,
                    one.work.item.step,
                    one.work.item.queue,
                    one.work.due_at,
                )
                for one in found
            ],
        )
