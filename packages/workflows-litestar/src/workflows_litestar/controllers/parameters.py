"""Parameters that several routes have."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal, cast
from uuid import UUID

from litestar.di import NamedDependency
from litestar.exceptions import ValidationException
from litestar.params import PathParameter, QueryParameter, SkipValidation

from workflows_core import WorkflowStatus
from workflows_core.ports.queries import InstanceFilter, PageRequest
from workflows_litestar.schemas.definitions import GraphFormat

__all__ = [
    "Drawing",
    "InstanceId",
    "Instances",
    "Paging",
    "TaskId",
    "WorkflowName",
    "provide_instances",
    "provide_paging",
    "utc",
]

MAX_OFFSET = 100_000
"""Beyond that, a list is to be read by cursor."""

InstanceId = Annotated[UUID, PathParameter(description="Id of the instance.")]
TaskId = Annotated[UUID, PathParameter(description="Id of the task.")]
WorkflowName = Annotated[str | None, QueryParameter(max_length=255, description="Only of this workflow.")]

Drawing = Annotated[GraphFormat, QueryParameter(name="format", description="Kind of drawing.")]

Paging = NamedDependency[SkipValidation[PageRequest]]
"""Which part of a list is wanted."""

Instances = NamedDependency[SkipValidation[InstanceFilter]]
"""Which instances are wanted, whosever they are."""


def provide_paging(
    *,
    limit: Annotated[int, QueryParameter(ge=1, le=100, description="Most items in the answer.")] = 50,
    cursor: Annotated[
        str | None,
        QueryParameter(max_length=2000, description="`next_cursor` of the page before; wins over `offset`."),
    ] = None,
    offset: Annotated[
        int,
        QueryParameter(
            ge=0, le=MAX_OFFSET, description="Items to leave out from the start; long lists are read by cursor."
        ),
    ] = 0,
    with_total: Annotated[bool, QueryParameter(description="Also count all items that match.")] = False,
) -> PageRequest:
    """Read which part of a list is wanted."""
    return PageRequest(limit=limit, cursor=cursor, offset=offset, with_total=with_total)


def provide_instances(
    workflow_name: WorkflowName = None,
    workflow_version: Annotated[str | None, QueryParameter(max_length=255, description="Only of this version.")] = None,
    statuses: Annotated[
        list[WorkflowStatus] | None,
        QueryParameter(name="status", description="Only with one of these statuses; may be given several times."),
    ] = None,
    created_by: Annotated[
        str | None, QueryParameter(max_length=255, description="Only those that this actor started.")
    ] = None,
    started_after: Annotated[
        datetime | None,
        QueryParameter(description="Only those started at or after this moment; UTC if it has no offset."),
    ] = None,
    started_before: Annotated[
        datetime | None, QueryParameter(description="Only those started before this moment; UTC if it has no offset.")
    ] = None,
    order: Annotated[
        Literal["started_at", "-started_at", "updated_at", "-updated_at"],
        QueryParameter(description="Sort key; `-` is newest first."),
    ] = "-started_at",
) -> InstanceFilter:
    """Read which instances are wanted; the tenant is the business of the route."""
    return InstanceFilter(
        workflow_name=workflow_name,
        workflow_version=workflow_version,
        statuses=tuple(statuses) if statuses else None,
        created_by=created_by,
        started_after=utc(started_after, "started_after"),
        started_before=utc(started_before, "started_before"),
        order_by=cast("Literal['started_at', 'updated_at']", order.removeprefix("-")),
        descending=order.startswith("-"),
    )


def utc(moment: datetime | None, name: str) -> datetime | None:
    """A moment of the query in UTC.

    Raises:
        ValidationException: There is no such moment in UTC (before the year 1 or after the year 9999).
    """
    if moment is None:
        return None
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        problem = {"key": name, "message": "there is no such moment in UTC", "source": "query"}
        raise ValidationException(detail="A moment is out of range.", extra=[problem]) from None
