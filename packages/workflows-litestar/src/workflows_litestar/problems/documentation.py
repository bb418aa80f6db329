"""What OpenAPI says about errors: made from the same table as the responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example

from workflows_core import errors
from workflows_litestar.problems.details import PROBLEM_MEDIA_TYPE, ProblemDetails
from workflows_litestar.problems.kinds import (
    BAD_REQUEST,
    FORBIDDEN,
    INTERNAL,
    PROBLEMS,
    REQUEST_TOO_LARGE,
    UNAUTHENTICATED,
    UNSUPPORTED_MEDIA_TYPE,
    ProblemKind,
)

__all__ = ["document_problems"]

_MEMBERS: Final[Mapping[type[errors.WorkflowsError], dict[str, Any]]] = {
    errors.DefinitionNotFoundError: {"near": ["document_approval"]},
    errors.InputValidationError: {"errors": [{"message": "'ten' is not of type \"number\"", "pointer": "/amount"}]},
    errors.FormValidationError: {"errors": [{"message": '"approved" is a required property', "pointer": "/approved"}]},
    errors.TaskAlreadyCompletedError: {"completed_by": "alice", "completed_at": "2026-03-01T09:30:00Z"},
    errors.UnknownSignalError: {"signals": ["paid", "shipped"]},
    errors.UnknownStepError: {
        "steps": ["submit", "review"],
        "errors": [{"message": "the instance cannot go on from 'revue'", "pointer": "/from_step"}],
    },
    errors.PayloadTooLargeError: {"size_bytes": 5_000_000, "limit_bytes": 4_194_304},
}


def document_problems(
    *listed: type[errors.WorkflowsError], has_body: bool = False, needs_actor: bool = True
) -> dict[int, ResponseSpec]:
    """The error responses of one operation, by status.

    Args:
        listed: Errors of the engine that the operation can end with, beside those that every operation can end with.
        has_body: Whether it reads a body.
        needs_actor: Whether it asks who acts.
    """
    kinds: list[tuple[ProblemKind, dict[str, Any]]] = [(BAD_REQUEST, {}), (INTERNAL, {})]
    if needs_actor:
        kinds += [(UNAUTHENTICATED, {}), (FORBIDDEN, {})]
    if has_body:
        kinds += [(REQUEST_TOO_LARGE, {}), (UNSUPPORTED_MEDIA_TYPE, {})]
    kinds += [(PROBLEMS[error], _MEMBERS.get(error, {})) for error in (*listed, errors.StoreUnavailableError)]
    by_status: dict[int, dict[ProblemKind, dict[str, Any]]] = {}
    for kind, members in kinds:
        by_status.setdefault(kind.status, {}).setdefault(kind, members)
    return {status: _response(found) for status, found in sorted(by_status.items())}


def _response(kinds: Mapping[ProblemKind, dict[str, Any]]) -> ResponseSpec:
    return ResponseSpec(
        data_container=ProblemDetails,
        generate_examples=False,
        description="; or: ".join(kind.title for kind in kinds),
        media_type=PROBLEM_MEDIA_TYPE,
        examples=[
            Example(
                id=kind.slug,
                summary=kind.title,
                value={"type": kind.type, "title": kind.title, "status": kind.status, "detail": kind.title, **members},
            )
            for kind, members in kinds.items()
        ],
    )
