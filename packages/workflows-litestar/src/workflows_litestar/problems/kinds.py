"""The one table from errors to kinds of problems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from workflows_core import SecretMissingError, errors
from workflows_core.domain.payload import PayloadDecodeError

__all__ = [
    "BAD_REQUEST",
    "FORBIDDEN",
    "HTTP_PROBLEMS",
    "INTERNAL",
    "PROBLEMS",
    "PROBLEM_PREFIX",
    "REQUEST_TOO_LARGE",
    "UNAUTHENTICATED",
    "UNSUPPORTED_MEDIA_TYPE",
    "ProblemKind",
    "kind_of",
]

PROBLEM_PREFIX: Final = "urn:workflows:problem:"
"""What every ``type`` begins with."""


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """A kind of problem, as clients know it.

    Attributes:
        slug: Stable; the end of its ``type``.
        status: HTTP status.
        title: The same for every occurrence.
        retry_after_s: Seconds after which it makes sense to ask again; None if the request must be changed first.
    """

    slug: str
    status: int
    title: str
    retry_after_s: int | None = None

    @property
    def type(self) -> str:
        """Its URI."""
        return PROBLEM_PREFIX + self.slug


BAD_REQUEST: Final = ProblemKind("bad-request", 400, "The request is malformed")
UNAUTHENTICATED: Final = ProblemKind("not-authenticated", 401, "The request names no actor")
FORBIDDEN: Final = ProblemKind("permission-denied", 403, "The actor may not do this")
REQUEST_TOO_LARGE: Final = ProblemKind("request-too-large", 413, "The request body is too large")
UNSUPPORTED_MEDIA_TYPE: Final = ProblemKind("unsupported-media-type", 415, "The request body is not JSON")
INTERNAL: Final = ProblemKind("internal-error", 500, "The server failed")

HTTP_PROBLEMS: Final[Mapping[int, ProblemKind]] = MappingProxyType(
    {
        kind.status: kind
        for kind in (
            BAD_REQUEST,
            UNAUTHENTICATED,
            FORBIDDEN,
            ProblemKind("not-found", 404, "There is no such resource"),
            ProblemKind("method-not-allowed", 405, "The resource does not know this method"),
            REQUEST_TOO_LARGE,
            UNSUPPORTED_MEDIA_TYPE,
            ProblemKind("too-many-requests", 429, "Too many requests"),
            INTERNAL,
            ProblemKind("service-unavailable", 503, "The service is not available"),
        )
    }
)
"""Kinds of the HTTP errors that Litestar, guards and middleware raise, by status."""

PROBLEMS: Final[Mapping[type[errors.WorkflowsError], ProblemKind]] = MappingProxyType(
    {
        errors.WorkflowsError: INTERNAL,
        errors.DefinitionNotFoundError: ProblemKind("workflow-not-found", 404, "There is no such workflow or version"),
        errors.ValidationError: ProblemKind("invalid-data", 422, "The data do not satisfy their schema"),
        errors.InputValidationError: ProblemKind("invalid-input", 422, "The data do not satisfy the workflow's schema"),
        errors.FormValidationError: ProblemKind("invalid-form", 422, "The form data do not satisfy the task's form"),
        errors.InvalidCursorError: ProblemKind("invalid-cursor", 400, "The cursor does not belong to this list"),
        errors.PayloadError: ProblemKind("data-not-storable", 422, "A value cannot be stored"),
        PayloadDecodeError: INTERNAL,
        errors.PayloadTooLargeError: ProblemKind(
            "data-too-large", 413, "The data of the instance would grow too large"
        ),
        errors.NotFoundError: ProblemKind("not-found", 404, "There is no such resource"),
        errors.InstanceNotFoundError: ProblemKind("instance-not-found", 404, "There is no such workflow instance"),
        errors.TaskNotFoundError: ProblemKind("task-not-found", 404, "There is no such human task"),
        errors.WebhookNotFoundError: ProblemKind("webhook-not-found", 404, "There is no such webhook address"),
        SecretMissingError: ProblemKind("webhook-not-found", 404, "There is no such webhook address"),
        errors.StateError: ProblemKind("state-conflict", 409, "The request does not fit the state of the resource"),
        errors.InstanceFinishedError: ProblemKind("instance-finished", 409, "The workflow instance is over"),
        errors.InstanceEndingError: ProblemKind("instance-ending", 409, "The workflow instance is being ended"),
        errors.NotParkedError: ProblemKind("not-a-dead-letter", 409, "The workflow instance waits for no operator"),
        errors.NothingToReopenError: ProblemKind("nothing-to-reopen", 409, "What the instance had done was undone"),
        errors.UnknownSignalError: ProblemKind("unknown-signal", 422, "No step of the workflow waits for that signal"),
        errors.UnknownStepError: ProblemKind("unknown-step", 422, "The instance cannot go on from that step"),
        errors.TaskAlreadyCompletedError: ProblemKind("task-already-completed", 409, "The task was already completed"),
        errors.TaskNotOpenError: ProblemKind("task-not-open", 409, "The task is not open"),
        errors.AmbiguousTaskError: ProblemKind("ambiguous-task", 409, "Several tasks of the step are open"),
        errors.WebhookAlreadyUsedError: ProblemKind(
            "webhook-already-used", 409, "The webhook address was already used"
        ),
        errors.IdempotencyConflictError: ProblemKind(
            "idempotency-conflict", 409, "The key was used for another request"
        ),
        errors.ItemsNotLoadedError: INTERNAL,
        errors.PermissionDeniedError: FORBIDDEN,
        errors.StepExecutionError: ProblemKind("step-failed", 500, "Code of the application failed"),
        errors.NonRetryableError: ProblemKind("step-failed", 500, "Code of the application failed"),
        errors.StepTimeoutError: ProblemKind("step-timed-out", 500, "Code of the application took too long"),
        errors.TransactionError: ProblemKind("transaction-misused", 500, "The server shares a transaction wrongly"),
        errors.ConcurrencyError: ProblemKind("concurrent-change", 409, "Somebody else was first; ask again", 1),
        errors.InfrastructureError: ProblemKind("service-unavailable", 503, "The service is not available", 5),
        errors.StoreUnavailableError: ProblemKind("store-unavailable", 503, "The store is not available", 5),
        errors.TransactionAbortedError: ProblemKind(
            "transaction-aborted", 503, "Another transaction was in the way", 1
        ),
    }
)
"""Kind by error; an error that is not listed has the kind of its nearest listed ancestor."""


def kind_of(error: type[errors.WorkflowsError]) -> ProblemKind:
    """The kind of problem that an error is shown as."""
    return next(PROBLEMS[ancestor] for ancestor in error.__mro__ if ancestor in PROBLEMS)
