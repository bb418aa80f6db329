"""The loop that moves tokens until every one of them waits for something outside."""

from __future__ import annotations

from workflows_core.domain.events import WorkflowCompleted
from workflows_core.domain.kernel.activation import activate, enter
from workflows_core.domain.kernel.closing import close_if_over, is_over
from workflows_core.domain.kernel.draft import Arrival, Draft
from workflows_core.domain.kernel.failing import end_deadline
from workflows_core.domain.kernel.items import count_busy
from workflows_core.domain.kernel.joins import settle_joins
from workflows_core.domain.kernel.undoing import go_on_ending
from workflows_core.domain.state import ROOT, Token
from workflows_core.domain.types import StepStatus, WorkflowStatus

__all__ = ["settle"]


def settle(draft: Draft) -> None:
    """Move tokens until all rest.

    A scope that is over ends at once: were the instance to fail before, nobody would know of it any more. Then come tokens on their way,
    those that enter, and joins, innermost first.
    """
    while draft.status is None and _move(draft):
        pass
    if draft.status is None and not draft.scope(ROOT).tokens:
        draft.status = WorkflowStatus.COMPLETED
    if draft.status is WorkflowStatus.COMPLETED:
        draft.emit(WorkflowCompleted)
    elif draft.status is None and len(draft.opened) > 1:
        count_busy(draft)
    if draft.status is not None:
        end_deadline(draft)


def _move(draft: Draft) -> bool:
    """Do what comes next; says whether there was anything."""
    if draft.left:
        scope_id = draft.left.pop()
        if _has_ended(draft, scope_id):
            draft.dirty.discard(scope_id)
            _look_at(draft, scope_id)
    elif draft.arrivals:
        _arrive(draft, draft.arrivals.popleft())
    elif draft.entering:
        _enter(draft, *draft.entering.pop(0))
    elif draft.dirty:
        scope_id = max(draft.dirty)
        draft.dirty.remove(scope_id)
        _look_at(draft, scope_id)
    else:
        return False
    return True


def _has_ended(draft: Draft, scope_id: int) -> bool:
    """Whether an inner scope is over, and nothing is on its way there."""
    return (
        is_over(draft, scope_id)
        and scope_id not in draft.closed
        and all(arrival.scope != scope_id for arrival in draft.arrivals)
    )


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
