"""What commands show of one instance."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import click
from msgspec import Struct

from workflows_core.cli.output import as_json_line, print_json, print_table
from workflows_core.domain.types import Phase
from workflows_core.engine.engine import WorkflowEngine
from workflows_core.engine.instances import WorkflowInstance
from workflows_core.ports.queries import ExecutionRecord, WorkRecord

__all__ = ["Details", "find_details", "print_details", "print_instance"]


class Details(Struct):
    """All that there is to know of an instance."""

    instance: WorkflowInstance
    history: Sequence[ExecutionRecord]
    work: Sequence[WorkRecord]
    goes_on_from: list[str]


async def find_details(engine: WorkflowEngine, instance_id: UUID) -> Details:
    """Read all that there is to know of an instance."""
    instance = await engine.get_instance(instance_id)
    goes_on_from: list[str] = []
    if instance.parked is not None:
        graph = await engine.graph_of(instance)
        goes_on_from = [name for name, node in graph.nodes.items() if not node.scope]
    queries = engine.queries
    return Details(
        instance, await queries.list_executions(instance_id), await queries.list_work(instance_id), goes_on_from
    )


def print_details(details: Details, *, json_output: bool) -> None:
    """Show all that there is to know of an instance."""
    if json_output:
        print_json(details)
        return
    print_instance(details.instance, json_output=False)
    if details.goes_on_from:
        click.echo(f"can go on from: {', '.join(details.goes_on_from)}")
    for key, value in details.instance.data.items():
        click.echo(f"data {key} = {as_json_line(value)}")
    if details.history:
        click.echo()
        print_table(
            ("#", "STEP", "STATUS", "ATTEMPTS", "UNDOES", "BY", "COMPLETED", "ERROR"),
            [
                (
                    record.execution.number,
                    record.execution.step_name,
                    record.execution.status,
                    record.execution.attempts,
                    record.execution.compensates or None,
                    record.execution.completed_by,
                    record.completed_at,
                    record.execution.error.message if record.execution.error is not None else None,
                )
                for record in details.history
            ],
        )
    if details.work:
        click.echo()
        print_table(
            ("WORK", "STEP", "DUE", "WORKER", "LEASE UNTIL", "ATTEMPTS", "CRASHES", "TIMEOUT"),
            [
                (
                    record.item.kind,
                    record.item.step or None,
                    record.due_at,
                    record.worker,
                    record.lease_until,
                    record.attempt,
                    record.crashes,
                    record.timeout_at,
                )
                for record in details.work
            ],
        )


def print_instance(instance: WorkflowInstance, *, json_output: bool) -> None:
    """Show an instance as it stands."""
    if json_output:
        print_json(instance)
        return
    print_table(
        ("ID", "WORKFLOW", "VERSION", "STATUS", "ACTIVE STEPS"),
        [
            (
                instance.id,
                instance.workflow_name,
                instance.workflow_version,
                instance.status,
                ", ".join(step.step_name for step in instance.active_steps) or None,
            )
        ],
    )
    if instance.phase is not Phase.NORMAL:
        click.echo(f"phase: {instance.phase}")
    if instance.parked is not None:
        click.echo(f"parked: {instance.parked}")
    if instance.error is not None:
        click.echo(f"error: {instance.error.type}: {instance.error.message}")
