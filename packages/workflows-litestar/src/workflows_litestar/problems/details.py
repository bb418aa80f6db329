"""The body of every error response."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

__all__ = ["PROBLEM_MEDIA_TYPE", "FieldProblem", "ProblemDetails", "json_pointer"]

PROBLEM_MEDIA_TYPE: Final = "application/problem+json"


class FieldProblem(msgspec.Struct, frozen=True):
    """One place in the request that is wrong."""

    message: Annotated[str, Meta(description="What is wrong there.", examples=["12 is more than the maximum of 10"])]
    pointer: Annotated[
        str,
        Meta(description="JSON pointer into the data that were sent; empty for the whole.", examples=["/amount"]),
    ] = ""
    source: Annotated[
        str,
        Meta(description="Part of the request: `body`, `query`, `path` or `header`.", examples=["body"]),
    ] = "body"
    keyword: Annotated[
        str | None, Meta(description="Keyword of the JSON Schema that is broken.", examples=["maximum"])
    ] = None


class ProblemDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong, for people and for programs; members that do not apply are left out."""

    type: Annotated[
        str,
        Meta(
            description="Stable identifier of the kind of problem.", examples=["urn:workflows:problem:task-not-found"]
        ),
    ]
    title: Annotated[str, Meta(description="The kind of problem in words; the same for every occurrence.")]
    status: Annotated[int, Meta(description="HTTP status of this response.", examples=[404])]
    detail: Annotated[str, Meta(description="What happened in this case, and how to mend it.")]
    instance: Annotated[str | None, Meta(description="Path of the request that failed.")] = None
    errors: Annotated[tuple[FieldProblem, ...], Meta(description="Each place in the request that is wrong.")] = ()
    near: Annotated[
        tuple[str, ...], Meta(description="Known names or versions that resemble the one that was asked for.")
    ] = ()
    steps: Annotated[tuple[str, ...], Meta(description="The steps from which the instance can go on.")] = ()
    signals: Annotated[
        tuple[str, ...], Meta(description="The names of signals for which steps of the workflow wait.")
    ] = ()
    workflow_instance_id: Annotated[UUID | None, Meta(description="Workflow instance that stands in the way.")] = None
    state: Annotated[
        str | None, Meta(description="Status, or phase, of the instance or task that stands in the way.")
    ] = None
    completed_by: Annotated[str | None, Meta(description="Who completed the task first.")] = None
    completed_at: Annotated[datetime | None, Meta(description="When that was.")] = None
    task_ids: Annotated[tuple[UUID, ...], Meta(description="The tasks among which to choose.")] = ()
    size_bytes: Annotated[int | None, Meta(description="Size that was refused.")] = None
    limit_bytes: Annotated[int | None, Meta(description="Largest size that is accepted.")] = None


def json_pointer(places: Iterable[str]) -> str:
    """The JSON pointer (RFC 6901) to what is found by going from key to key."""
    return "".join("/" + place.replace("~", "~0").replace("/", "~1") for place in places)
