"""A scope is being ended: steps under way come to rest, then what was done is undone, last things first, one after the other."""

from __future__ import annotations

from msgspec.structs import replace

from workflows_core.domain.commands import CompleteStep, FailStep
from workflows_core.domain.events import (
    StepCanceled,
    StepCompensated,
    StepCompensationFailed,
    StepCompleted,
    StepFailed,
    WorkflowCanceled,
    WorkflowFailed,
)
from workflows_core.domain.kernel.cancelling import note_to_undo
from workflows_core.domain.kernel.draft import Draft
from workflows_core.domain.kernel.routing import fail_step
from workflows_core.domain.state import ROOT, ErrorInfo, Token
from workflows_core.domain.types import Outcome, Parking, StepStatus, WorkflowStatus

__all__ = ["abandon", "go_on_ending", "park_undoing", "settle_draining", "undone"]


def go_on_ending(draft: Draft, scope_id: int) -> bool:
    """Do what comes next in a scope that is being ended; says whether it is."""
    if (scope_id != ROOT and not draft.is_open(scope_id)) or not draft.is_ending(scope_id):
        return False
    scope = draft.scope(scope_id)
    if scope.tokens:
        return True
    if scope.failing is None:
        _collapse(draft, scope_id)
    elif scope.undo:
        _undo_next(draft, scope_id)
    elif scope_id == ROOT:
        _end_instance(draft)
    elif draft.is_ending(scope.origin.parent):
        _collapse(draft, scope_id)
    else:
        error = scope.failing.error or ErrorInfo("", "")
        scope.failing = None
        parent, token = draft.container(scope_id)
        fail_step(draft, parent, token, error, keeps=False)
    return True


def settle_draining(draft: Draft, scope_id: int, token: Token, command: CompleteStep | FailStep) -> None:
    """A step that was waited for has ended; if it did its work, that is to be undone."""
    failed = isinstance(command, FailStep)
    skipped = command.outcome is Outcome.SKIPPED
    done = StepStatus.SKIPPED if skipped else StepStatus.SUCCEEDED
    draft.record(
        scope_id,
        token,
        StepStatus.FAILED if failed else done,
        started_at=command.started_at,
        attempts=command.attempts,
        result=command.result if isinstance(command, CompleteStep) else None,
        error=command.error if isinstance(command, FailStep) else None,
    )
    if isinstance(command, FailStep):
        draft.emit(StepFailed, step_name=token.node, execution=token.execution, error=command.error.message)
    else:
        draft.emit(StepCompleted, step_name=token.node, execution=token.execution)
        if not skipped:
            note_to_undo(draft, scope_id, token)
    draft.remove(scope_id, token.id)


def abandon(draft: Draft, scope_id: int, token: Token, *, began: bool, attempts: int) -> None:
    """A step that was waited for will not end: nobody runs it, or nobody any more."""
    draft.record(scope_id, token, StepStatus.CANCELED, attempts=attempts)
    draft.emit(StepCanceled, step_name=token.node, execution=token.execution)
    if began:
        note_to_undo(draft, scope_id, token)
    draft.remove(scope_id, token.id)


def undone(draft: Draft, scope_id: int, token: Token, command: CompleteStep) -> None:
    """A compensation has succeeded."""
    draft.record(
        scope_id,
        token,
        StepStatus.SUCCEEDED,
        started_at=command.started_at,
        attempts=command.attempts,
        result=command.result,
    )
    draft.emit(StepCompensated, step_name=token.node, execution=token.execution, compensates=token.compensates)
    draft.remove(scope_id, token.id)


def park_undoing(draft: Draft, scope_id: int, token: Token, command: FailStep) -> None:
    """A compensation has failed for good: an operator decides."""
    failed = replace(token, status=StepStatus.FAILED, attempts=command.attempts)
    draft.scope(scope_id).tokens[token.id] = failed
    draft.parked, draft.error = Parking.COMPENSATION, command.error
    draft.emit(
        StepCompensationFailed,
        step_name=token.node,
        execution=token.execution,
        compensates=token.compensates,
        error=command.error.message,
    )


def _undo_next(draft: Draft, scope_id: int) -> None:
    scope = draft.scope(scope_id)
    *earlier, last = scope.undo
    scope.undo = tuple(earlier)
    token = Token(
        draft.number(),
        last.step,
        StepStatus.SCHEDULED,
        draft.number(),
        since=draft.now,
        visit=last.visit,
        compensates=last.execution,
    )
    draft.put(scope_id, token)


def _collapse(draft: Draft, scope_id: int) -> None:
    """An inner scope of one that is being ended has come to rest; so does its group, with the last of its scopes."""
    parent, token = draft.container(scope_id)
    draft.close_scope(scope_id)
    items = token.items
    if items is not None:
        items = replace(items, done=items.done + 1)
        token = replace(token, items=items)
        draft.scope(parent).tokens[token.id] = token
        if items.done < items.started:
            return
        draft.drop_items(items)
    failed = token.id in _failed_groups(draft, parent)
    draft.record(parent, token, StepStatus.FAILED if failed else StepStatus.CANCELED)
    if failed:
        error = draft.error.message if draft.error is not None else "a step inside it failed"
        draft.emit(StepFailed, step_name=token.node, execution=token.execution, error=error)
    else:
        draft.emit(StepCanceled, step_name=token.node, execution=token.execution)
    draft.remove(parent, token.id)


def _failed_groups(draft: Draft, scope_id: int) -> tuple[int, ...]:
    """Tokens of the groups through which the failure came that ends this scope, or one around it."""
    current = scope_id
    while True:
        scope = draft.scope(current)
        if scope.failing is not None:
            return scope.failing.groups
        current = scope.origin.parent


def _end_instance(draft: Draft) -> None:
    root = draft.scope(ROOT)
    failing = root.failing
    if failing is None:
        return
    root.failing = None
    draft.status, draft.error = failing.status, failing.error
    if failing.status is WorkflowStatus.CANCELED:
        draft.emit(WorkflowCanceled, reason=failing.reason)
        return
    error = failing.error or ErrorInfo("", "")
    draft.parked = Parking.DEAD_LETTER
    draft.emit(WorkflowFailed, step_name=error.step, error=error.message)
