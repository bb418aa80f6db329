"""The loop that moves tokens until every one of them waits for something outside."""

from __future__ import annotations

from workflows_core.domain.events import WorkflowCompleted
from workflows_core.domain.kernel.activation import activate, enter
from workflows_core.domain.kernel.closing import close_if_over
from workflows_core.domain.kernel.draft import Arrival, Draft
from workflows_core.domain.kernel.failing import end_deadline
from workflows_core.domain.kernel.items import count_busy
from workflows_core.domain.kernel.joins import settle_joins
from workflows_core.domain.kernel.undoing import go_on_ending
from workflows_core.domain.state import ROOT, Token
from workflows_core.domain.types import StepStatus, WorkflowStatus

__all__ = ["settle"]


def settle(draft: Draft) -> None:
    """Move tokens until all rest: first those on their way, then those that enter, then ends and joins of scopes, innermost first."""
    arrivals, entering, dirty = draft.arrivals, draft.entering, draft.dirty
    while draft.status is None:
        if arrivals:
            _arrive(draft, arrivals.popleft())
        elif entering:
            _enter(draft, *entering.pop(0))
        elif dirty:
            scope_id = max(dirty)
            dirty.remove(scope_id)
            _look_at(draft, scope_id)
        else:
            break
    if draft.status is None and not draft.scope(ROOT).tokens:
        draft.status = WorkflowStatus.COMPLETED
    if draft.status is WorkflowStatus.COMPLETED:
        draft.emit(WorkflowCompleted)
    elif draft.status is None and len(draft.opened) > 1:
        count_busy(draft)
    if draft.status is not None:
        end_deadline(draft)


def _arrive(draft: Draft, arrival: Arrival) -> None:
    scope_id, node, token_id, via = arrival
    if scope_id in draft.closed:
        return
    if draft.program.steps[node].reach is not None:
        draft.put(scope_id, Token(token_id, node, StepStatus.PENDING, via=via, since=draft.now))
        draft.dirty.add(scope_id)
    else:
        activate(draft, scope_id, node, token_id, via)


def _enter(draft: Draft, scope_id: int, token: Token) -> None:
    if draft.scope(scope_id).tokens.get(token.id) is token:
        enter(draft, scope_id, token)


def _look_at(draft: Draft, scope_id: int) -> None:
    if draft.program.can_undo and go_on_ending(draft, scope_id):
        return
    if scope_id != ROOT and close_if_over(draft, scope_id):
        return
    for token in draft.scope(scope_id).tokens.values():
        if token.status is StepStatus.PENDING:
            if settle_joins(draft, scope_id):
                draft.dirty.add(scope_id)
            return
