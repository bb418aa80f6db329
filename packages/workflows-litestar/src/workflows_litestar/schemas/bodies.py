"""Request bodies. They are strict: a field that is not known is refused, so that a misspelt one is not silently lost."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

__all__ = [
    "CancelWorkflowDTO",
    "CompleteTaskDTO",
    "IdempotencyKey",
    "ReassignTaskDTO",
    "RequestBody",
    "StartWorkflowDTO",
]

IdempotencyKey = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=255,
        description="Unique for each intended start; a repetition returns the instance that the first request started.",
        examples=["order-4711"],
    ),
]
Comment = Annotated[str, Meta(max_length=10_000, description="Said by the actor; kept in the audit trail.")]


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


class CancelWorkflowDTO(RequestBody, frozen=True):
    """Why an instance is cancelled."""

    reason: Comment = ""


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
