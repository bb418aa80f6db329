"""Request bodies. They are strict: a field that is not known is refused, so that a misspelt one is not silently lost."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from workflows_core.domain.graph import MOST_URGENT

__all__ = [
    "CancelWorkflowDTO",
    "CompleteTaskDTO",
    "DeadLetterSelection",
    "DeadLettersDTO",
    "DiscardDeadLettersDTO",
    "DiscardWorkflowDTO",
    "IdempotencyKey",
    "ReassignTaskDTO",
    "RequestBody",
    "RetryDeadLettersDTO",
    "RetryWorkflowDTO",
    "SignalWorkflowDTO",
    "StartWorkflowDTO",
    "TerminateWorkflowDTO",
]

MOST_AT_ONCE: Final = 100
"""Instances that one request may change."""

IdempotencyKey = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=255,
        description="Unique for each intended start; a repetition returns the instance that the first request started.",
        examples=["order-4711"],
    ),
]
Deadline = Annotated[
    float,
    Meta(
        ge=0.001,
        le=36_525 * 86_400.0,
        description="Seconds after which the instance fails if it is not over, instead of the workflow's own deadline.",
        examples=[86_400],
    ),
]
DedupKey = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=255,
        description="Unique for each intended signal to the instance; a repetition changes nothing and is answered alike.",
        examples=["payment-4711"],
    ),
]
FromStep = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=255,
        description="Step from which it goes on, with a new visit: of the workflow's top, which drops what is under way, or of a group "
        "from inside which the failure came, which drops what is under way there.",
        examples=["pay"],
    ),
]
ChangedData = Annotated[dict[str, Any], Meta(description="Data keys to be set first.", examples=[{"amount": 100}])]
DeletedKeys = Annotated[list[str], Meta(max_length=1000, description="Data keys to be removed first.")]
Comment = Annotated[str, Meta(max_length=10_000, description="Said by the actor; kept in the audit trail.")]


Priority = Annotated[
    int,
    Meta(
        ge=-MOST_URGENT,
        le=MOST_URGENT,
        description="Of the instance's work, higher is taken first; the workflow's own if left out.",
        examples=[10],
    ),
]
Delay = Annotated[
    float,
    Meta(ge=0, le=36_525 * 86_400.0, description="Seconds until the instance begins.", examples=[3600]),
]
StartAt = Annotated[
    datetime,
    Meta(
        tz=True,
        description="When the instance begins, instead of a delay; a moment that has passed is now.",
        examples=["2030-01-31T09:00:00+01:00"],
    ),
]


class RequestBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A body that a client sends; in OpenAPI it carries ``additionalProperties: false``."""


class StartWorkflowDTO(RequestBody, frozen=True):
    """What to start."""

    workflow_name: Annotated[
        str,
        Meta(min_length=1, max_length=255, description="Name of the workflow.", examples=["document_approval"]),
    ]
    initial_data: Annotated[
        dict[str, Any] | None,
        Meta(description="Data of the instance; must satisfy the workflow's input schema.", examples=[{"amount": 120}]),
    ] = None
    version: Annotated[
        str | None, Meta(description="Version to start; the newest if left out.", examples=["1.0.0"])
    ] = None
    idempotency_key: IdempotencyKey | None = None
    metadata: Annotated[dict[str, Any] | None, Meta(description="Facts about the start, which no step can change.")] = (
        None
    )
    deadline: Deadline | None = None
    priority: Priority | None = None
    delay: Delay | None = None
    start_at: StartAt | None = None


class CancelWorkflowDTO(RequestBody, frozen=True):
    """Why an instance is cancelled."""

    reason: Comment = ""


class TerminateWorkflowDTO(RequestBody, frozen=True):
    """Why an instance is ended at once."""

    reason: Comment = ""


class DiscardWorkflowDTO(RequestBody, frozen=True):
    """Why a dead letter is given up."""

    reason: Comment = ""


class RetryWorkflowDTO(RequestBody, frozen=True):
    """How a dead letter is to go on; with nothing said, where it failed and with the data that it has."""

    from_step: FromStep | None = None
    data: ChangedData | None = None
    delete: DeletedKeys = []


class DeadLetterSelection(RequestBody, frozen=True):
    """Which dead letters of the tenant are meant, newest first."""

    workflow_name: Annotated[str, Meta(max_length=255, description="Only of this workflow.")] | None = None
    limit: Annotated[int, Meta(ge=1, le=MOST_AT_ONCE, description="Most of them in one request.")] = MOST_AT_ONCE
    cursor: (
        Annotated[str, Meta(max_length=2000, description="`next_cursor` of the answer before, to go on after it.")]
        | None
    ) = None


class DeadLettersDTO(RequestBody, frozen=True):
    """Which dead letters a request is about: those that are named, and those that match. Without either, none."""

    instance_ids: Annotated[
        list[UUID],
        Meta(max_length=MOST_AT_ONCE, description="Ids of instances; one that is named twice counts once."),
    ] = []
    matching: DeadLetterSelection | None = None


class RetryDeadLettersDTO(DeadLettersDTO, frozen=True):
    """Which dead letters are to go on, and how; each as if it alone were retried."""

    from_step: FromStep | None = None
    data: ChangedData | None = None
    delete: DeletedKeys = []


class DiscardDeadLettersDTO(DeadLettersDTO, frozen=True):
    """Which dead letters are given up, and why."""

    reason: Comment = ""


class SignalWorkflowDTO(RequestBody, frozen=True):
    """What a signal brings."""

    payload: Annotated[
        Any,
        Meta(
            description="Any JSON that satisfies the payload schema of the step that waits for the signal.",
            examples=[{"paid": True}],
        ),
    ] = None
    dedup_key: DedupKey | None = None


class CompleteTaskDTO(RequestBody, frozen=True):
    """The decision of a person."""

    form_data: Annotated[
        dict[str, Any], Meta(description="Must satisfy the task's form schema.", examples=[{"approved": True}])
    ]
    comment: Comment | None = None


class ReassignTaskDTO(RequestBody, frozen=True):
    """Who is to do a task from now on."""

    assignee_id: Annotated[str, Meta(min_length=1, max_length=255, description="The new assignee.", examples=["bob"])]
    reason: Comment | None = None
