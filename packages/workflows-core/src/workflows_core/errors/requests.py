"""Errors about requests: data, identity or permission are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from workflows_core.errors.root import WorkflowsError

__all__ = [
    "FormValidationError",
    "InputValidationError",
    "InstanceNotFoundError",
    "InvalidCursorError",
    "NotFoundError",
    "PermissionDeniedError",
    "TaskNotFoundError",
    "ValidationError",
    "WebhookNotFoundError",
]


class ValidationError(WorkflowsError):
    """Data from outside do not satisfy their schema; `problems` names each place."""

    def __init__(self, subject: str, problems: Sequence[Any]) -> None:
        super().__init__(subject, problems)
        self.subject = subject
        self.problems = tuple(problems)

    def __str__(self) -> str:
        lines = "; ".join(f"{problem.pointer or '/'}: {problem.message}" for problem in self.problems)
        return f"{self.subject}: {lines}"


class InputValidationError(ValidationError):
    """Raised by a start whose initial data do not satisfy the workflow's input schema; nothing was started."""


class FormValidationError(ValidationError):
    """Raised by a completion whose form data do not satisfy the task's form schema; the task stays open."""


class InvalidCursorError(ValidationError):
    """Raised when a page cursor was not made by this query; ask for the first page again."""

    def __init__(self, cursor: str) -> None:
        super().__init__(cursor, ())
        self.args = (cursor,)
        self.cursor = cursor

    def __str__(self) -> str:
        return "the cursor was not made by this query; leave it out to begin at the first page"


class NotFoundError(WorkflowsError):
    """There is no such thing, or it belongs to another tenant."""

    thing = "object"

    def __init__(self, identity: UUID | str) -> None:
        super().__init__(identity)
        self.identity = identity

    def __str__(self) -> str:
        return f"there is no {self.thing} {self.identity}"


class InstanceNotFoundError(NotFoundError):
    """Raised when an instance does not exist for the tenant that asks."""

    thing = "workflow instance"


class TaskNotFoundError(NotFoundError):
    """Raised when a task does not exist for the tenant that asks."""

    thing = "human task"


class WebhookNotFoundError(NotFoundError):
    """Raised when a webhook address was not signed by this application, or its instance is gone."""

    thing = "webhook address"


class PermissionDeniedError(WorkflowsError):
    """Raised when the actor may not do what was asked."""

    def __init__(self, actor: str, action: str, reason: str) -> None:
        super().__init__(actor, action, reason)
        self.actor = actor
        self.action = action
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.actor} may not {self.action}: {self.reason}"
