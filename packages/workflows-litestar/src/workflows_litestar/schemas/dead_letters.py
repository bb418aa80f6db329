"""What came of requests about many dead letters."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from workflows_core import Phase, WorkflowStatus
from workflows_litestar.problems.details import ProblemDetails

__all__ = ["BulkResultDTO", "BulkResultsDTO"]


class BulkResultDTO(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one instance."""

    instance_id: UUID
    ok: Annotated[bool, Meta(description="Whether it was done.")]
    status: Annotated[WorkflowStatus | None, Meta(description="What the instance does now, if it was done.")] = None
    phase: Annotated[Phase | None, Meta(description="What it is about now, if it was done.")] = None
    problem: Annotated[ProblemDetails | None, Meta(description="Why it was not done; nothing was changed.")] = None


class BulkResultsDTO(msgspec.Struct, frozen=True, kw_only=True):
    """What came of each instance of a request."""

    results: Annotated[
        list[BulkResultDTO],
        Meta(description="First those that were named, in that order; then those that match, newest first."),
    ]
    next_cursor: Annotated[
        str | None, Meta(description="Give it as `cursor` for the next ones; null if there are none.")
    ]
