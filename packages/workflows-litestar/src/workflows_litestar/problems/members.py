"""What a problem says beyond its text: the extension members by error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from workflows_core import errors
from workflows_litestar.problems.details import FieldProblem, json_pointer

__all__ = ["members_of"]


def members_of(error: errors.WorkflowsError) -> dict[str, Any]:
    """The extension members for an error, by the field names of `ProblemDetails`."""
    return next((_MEMBERS[ancestor](error) for ancestor in type(error).__mro__ if ancestor in _MEMBERS), {})


def _invalid_data(error: errors.ValidationError) -> dict[str, Any]:
    return {
        "errors": tuple(FieldProblem(found.message, found.pointer, keyword=found.keyword) for found in error.problems)
    }


def _invalid_cursor(_: errors.InvalidCursorError) -> dict[str, Any]:
    return {"errors": (FieldProblem("it was not made by this query", "cursor", "query"),)}


def _not_storable(error: errors.PayloadError) -> dict[str, Any]:
    return {"errors": (FieldProblem(error.hint, json_pointer([error.key]) + error.path),)}


def _too_large(error: errors.PayloadTooLargeError) -> dict[str, Any]:
    return {"size_bytes": error.size, "limit_bytes": error.limit}


def _unknown_workflow(error: errors.DefinitionNotFoundError) -> dict[str, Any]:
    return {"near": tuple(error.near)}


def _completed(error: errors.TaskAlreadyCompletedError) -> dict[str, Any]:
    return {"completed_by": error.completed_by, "completed_at": error.completed_at}


def _finished(error: errors.InstanceFinishedError | errors.NotParkedError) -> dict[str, Any]:
    return {"workflow_instance_id": error.instance_id, "state": error.status}


def _ending(error: errors.InstanceEndingError) -> dict[str, Any]:
    return {"workflow_instance_id": error.instance_id, "state": error.phase}


def _nothing_to_reopen(error: errors.NothingToReopenError) -> dict[str, Any]:
    return {"workflow_instance_id": error.instance_id}


def _unknown_signal(error: errors.UnknownSignalError) -> dict[str, Any]:
    return {"workflow_instance_id": error.instance_id, "signals": error.known}


def _unknown_step(error: errors.UnknownStepError) -> dict[str, Any]:
    return {
        "workflow_instance_id": error.instance_id,
        "errors": (FieldProblem(f"the instance cannot go on from {error.step!r}", json_pointer(["from_step"])),),
        "steps": error.known,
    }


def _not_open(error: errors.TaskNotOpenError) -> dict[str, Any]:
    return {"state": error.status}


def _ambiguous(error: errors.AmbiguousTaskError) -> dict[str, Any]:
    return {"workflow_instance_id": error.instance_id, "task_ids": error.task_ids}


def _same_key(error: errors.IdempotencyConflictError) -> dict[str, Any]:
    return {"workflow_instance_id": error.instance_id}


_MEMBERS: Final[Mapping[type[errors.WorkflowsError], Callable[[Any], dict[str, Any]]]] = MappingProxyType(
    {
        errors.ValidationError: _invalid_data,
        errors.InvalidCursorError: _invalid_cursor,
        errors.PayloadError: _not_storable,
        errors.PayloadTooLargeError: _too_large,
        errors.DefinitionNotFoundError: _unknown_workflow,
        errors.TaskAlreadyCompletedError: _completed,
        errors.InstanceFinishedError: _finished,
        errors.InstanceEndingError: _ending,
        errors.NotParkedError: _finished,
        errors.NothingToReopenError: _nothing_to_reopen,
        errors.UnknownSignalError: _unknown_signal,
        errors.UnknownStepError: _unknown_step,
        errors.TaskNotOpenError: _not_open,
        errors.AmbiguousTaskError: _ambiguous,
        errors.IdempotencyConflictError: _same_key,
    }
)
