"""Commands about human tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import click

from workflows_core.cli.engines import run_with_engine
from workflows_core.cli.options import as_actor, as_json, engine_factory, json_document, tenant_option, user_option
from workflows_core.cli.output import print_json, print_table
from workflows_core.engine.engine import WorkflowEngine
from workflows_core.engine.instances import WorkflowInstance
from workflows_core.ports.queries import TaskRecord

__all__ = ["complete", "reassign", "tasks"]

_group_option = click.option("--group", "groups", multiple=True, help="A group or role of that user.")


@click.command()
@click.option("--user", help="Only those that this user may do.")
@_group_option
@click.option("--tenant", help="Only of this tenant; all by default.")
@click.option("--workflow", help="Only of this workflow.")
@as_json
@click.pass_context
def tasks(
    context: click.Context,
    *,
    user: str | None,
    groups: tuple[str, ...],
    tenant: str | None,
    workflow: str | None,
    json_output: bool,
) -> None:
    """List open tasks, oldest first."""

    async def find(engine: WorkflowEngine) -> Sequence[TaskRecord]:
        return await engine.get_pending_tasks(user, groups=groups, tenant=tenant, workflow_name=workflow)

    found = run_with_engine(engine_factory(context), find)
    if json_output:
        print_json(found)
        return
    print_table(
        ("ID", "TITLE", "WORKFLOW", "STEP", "ASSIGNEE", "CANDIDATES", "DUE"),
        [
            (
                task.id,
                task.opening.title,
                task.workflow_name,
                task.opening.step_name,
                task.assignee_id,
                ", ".join((*task.opening.candidate_users, *task.opening.candidate_groups)) or None,
                task.due_at,
            )
            for task in found
        ],
    )


@click.command()
@click.argument("task_id", type=click.UUID)
@click.option("--data", callback=json_document, metavar="JSON|@FILE", help="Form data.")
@click.option("--comment", help="What the user says about it.")
@user_option
@_group_option
@tenant_option
@as_json
@click.pass_context
def complete(
    context: click.Context,
    *,
    task_id: UUID,
    data: dict[str, Any],
    comment: str | None,
    user: str,
    groups: tuple[str, ...],
    tenant: str,
    json_output: bool,
) -> None:
    """Complete task TASK_ID."""

    async def finish(engine: WorkflowEngine) -> WorkflowInstance:
        return await engine.complete_task(task_id, data, actor=as_actor(user, tenant, groups), comment=comment)

    instance = run_with_engine(engine_factory(context), finish)
    if json_output:
        print_json(instance)
    else:
        click.echo(f"completed; instance {instance.id} is {instance.status}")


@click.command()
@click.argument("task_id", type=click.UUID)
@click.argument("assignee")
@click.option("--reason", help="Why, for the audit trail.")
@user_option
@_group_option
@tenant_option
@click.pass_context
def reassign(
    context: click.Context,
    *,
    task_id: UUID,
    assignee: str,
    reason: str | None,
    user: str,
    groups: tuple[str, ...],
    tenant: str,
) -> None:
    """Give task TASK_ID to ASSIGNEE."""

    async def give(engine: WorkflowEngine) -> TaskRecord:
        return await engine.reassign_task(task_id, assignee, actor=as_actor(user, tenant, groups), reason=reason)

    task = run_with_engine(engine_factory(context), give)
    click.echo(f"task {task.id} is assigned to {task.assignee_id}")
