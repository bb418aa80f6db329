"""Parameters that several routes have."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal, TypeAlias, cast
from uuid import UUID

import msgspec
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
    "Moment",
    "Paging",
    "TaskId",
    "WorkflowName",
    "moment_of",
    "provide_instances",
    "provide_paging",
]

MAX_OFFSET = 100_000
"""Beyond that, a list is to be read by cursor."""

InstanceId = Annotated[UUID, PathParameter(description="Id of the instance.")]
TaskId = Annotated[UUID, PathParameter(description="Id of the task.")]
WorkflowName = Annotated[str | None, QueryParameter(max_length=255, description="Only of this workflow.")]

Moment: TypeAlias = str | None
"""A moment in the query. Litestar would take numbers for a `datetime`, too."""

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
    status: Annotated[
        list[WorkflowStatus] | None,
        QueryParameter(description="Only with one of these statuses; may be given several times."),
    ] = None,
    created_by: Annotated[
        str | None, QueryParameter(max_length=255, description="Only those that this actor started.")
    ] = None,
    started_after: Annotated[
        Moment, QueryParameter(format="date-time", description="Only those started at or after this moment.")
    ] = None,
    started_before: Annotated[
        Moment, QueryParameter(format="date-time", description="Only those started before this moment.")
    ] = None,
    parked: Annotated[
        bool | None, QueryParameter(description="Only those that wait for an operator, or only those that do not.")
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
        statuses=tuple(status) if status else None,
        created_by=created_by,
        started_after=moment_of(started_after, "started_after"),
        started_before=moment_of(started_before, "started_before"),
        is_parked=parked,
        order_by=cast("Literal['started_at', 'updated_at']", order.removeprefix("-")),
        descending=order.startswith("-"),
    )


def moment_of(text: Moment, name: str) -> datetime | None:
    """Read a moment of the query; one without an offset is in UTC.

    Args:
        text: RFC 3339; None is no moment.
        name: The parameter, for the message.

    Raises:
        ValidationException: It is no such text, or there is no such moment in UTC.
    """
    if text is None:
        return None
    try:
        moment = msgspec.convert(text, datetime)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        problem = {"key": name, "message": "expected a moment like 2026-03-01T09:30:00Z", "source": "query"}
        raise ValidationException(detail=f"The moment {name!r} cannot be read.", extra=[problem]) from None
