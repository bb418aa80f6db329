"""What fails when nobody takes a failure: the instance as it stands, or a scope that first has to undo what was done in it.

An instance that *halts* keeps its marking: each token stays where it is, as failed or cancelled, so that a retry can open it again. A
scope that *is being ended* cancels what it can; steps that can be undone and may be running are waited for, because their outcome
decides whether there is something to undo. `undoing` goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec.structs import replace

from workflows_core.domain.events import StepCanceled, StepFailed, WorkflowCompensating, WorkflowFailed
from workflows_core.domain.graph import HumanNode
from workflows_core.domain.kernel.cancelling import cancel_all, cancel_token, may_have_run
from workflows_core.domain.kernel.draft import Draft
from workflows_core.domain.state import ROOT, ErrorInfo, Failing, Token
from workflows_core.domain.types import Parking, StepStatus, WorkflowStatus

__all__ = [
    "begin_failing",
    "end_deadline",
    "fail_instance",
    "give_up",
    "halt",
    "has_inside",
    "has_to_undo",
    "record_failure",
]


def fail_instance(draft: Draft, error: ErrorInfo, failed: tuple[int, Token] | None = None) -> None:
    """Fail the instance, whatever edges there are: at once, or when all is undone.

    Args:
        draft: The decision.
        error: Why.
        failed: Scope and token of the step at whose end it failed, with its outcome set.
    """
    if not has_to_undo(draft, ROOT):
        halt(draft, error, failed, ())
        return
    if failed is not None:
        draft.remove(failed[0], failed[1].id)
    begin_failing(draft, ROOT, Failing(error, WorkflowStatus.FAILED))


def has_to_undo(draft: Draft, scope_id: int, *, besides: int = 0) -> bool:
    """Whether a scope, or one inside it, has something to undo, or may have; ``besides`` the token that has just failed."""
    if not draft.program.can_undo:
        return False
    scope = draft.scope(scope_id)
    others = [token for token in scope.tokens.values() if token.id != besides]
    if scope.undo or any(token.compensates or may_have_run(draft, token) for token in others):
        return True
    return any(has_to_undo(draft, inner, besides=besides) for token in others for inner in _inner(draft, token))


def halt(
    draft: Draft,
    error: ErrorInfo,
    failed: tuple[int, Token] | None,
    groups: Sequence[tuple[int, Token]],
    *,
    started_at: datetime | None = None,
    attempts: int = 1,
) -> None:
    """Fail the instance as it stands.

    Args:
        draft: The decision.
        error: Why.
        failed: Scope and token of what failed, if it was a step.
        groups: Scopes and tokens of the groups through which the failure came.
        started_at: When the failed attempt began.
        attempts: Attempts of the failed step.
    """
    if failed is not None:
        scope_id, token = failed
        _halt_inside(draft, scope_id, token)
        if token.outcome is None:
            record_failure(draft, scope_id, token, error, started_at=started_at, attempts=attempts)
        _stop(draft, scope_id, token, StepStatus.FAILED, attempts)
    for scope_id, token in groups:
        draft.drop_work(scope_id, token.id)
        record_failure(draft, scope_id, token, error)
        _stop(draft, scope_id, token, StepStatus.FAILED, token.attempts)
    _halt_scope(draft, ROOT)
    for arrival in draft.arrivals:
        if arrival.scope not in draft.closed:
            waiting = Token(arrival.token, arrival.node, StepStatus.CANCELED, via=arrival.via, since=draft.now)
            draft.scope(arrival.scope).tokens[arrival.token] = waiting
    draft.arrivals.clear()
    draft.status, draft.error, draft.parked = WorkflowStatus.FAILED, error, Parking.DEAD_LETTER
    draft.emit(WorkflowFailed, step_name=error.step, error=error.message)


def record_failure(
    draft: Draft,
    scope_id: int,
    token: Token,
    error: ErrorInfo,
    *,
    started_at: datetime | None = None,
    attempts: int = 1,
) -> None:
    """Put the failure of a step on record; where its token goes is another matter."""
    draft.record(scope_id, token, StepStatus.FAILED, started_at=started_at, attempts=attempts, error=error)
    draft.emit(StepFailed, step_name=token.node, execution=token.execution, error=error.message)


def give_up(draft: Draft, error: ErrorInfo) -> None:
    """Fail the instance and keep nothing of where it stands, because a part of it was undone."""
    cancel_all(draft, ROOT)
    draft.status, draft.error, draft.parked = WorkflowStatus.FAILED, error, Parking.DEAD_LETTER
    draft.emit(WorkflowFailed, step_name=error.step, error=error.message)


def _halt_scope(draft: Draft, scope_id: int) -> None:
    """Stop every token of a scope where it is, and all that is inside them."""
    for token in list(draft.scope(scope_id).tokens.values()):
        if token.status is StepStatus.PENDING:
            continue
        _halt_inside(draft, scope_id, token)
        if token.status.is_final:
            continue
        if token.execution and token.outcome is None and not token.compensates:
            draft.record(scope_id, token, StepStatus.CANCELED, attempts=max(token.attempts, 1))
            draft.emit(StepCanceled, step_name=token.node, execution=token.execution)
        _stop(draft, scope_id, token, StepStatus.CANCELED, token.attempts)


def _halt_inside(draft: Draft, scope_id: int, token: Token) -> None:
    if not token.status.is_final:
        draft.drop_work(scope_id, token.id)
        if token.status is StepStatus.WAITING and isinstance(draft.program.steps[token.node].kind, HumanNode):
            draft.withdraw_task(token)
    for inner in _inner(draft, token):
        _halt_scope(draft, inner)


def _stop(draft: Draft, scope_id: int, token: Token, status: StepStatus, attempts: int) -> None:
    items = None if token.items is None else replace(token.items, busy=0)
    draft.scope(scope_id).tokens[token.id] = replace(token, status=status, items=items, attempts=attempts)


def begin_failing(draft: Draft, scope_id: int, failing: Failing) -> None:
    """Begin to end a scope: cancel what is under way in it, but for steps that must be waited for, then undo."""
    draft.scope(scope_id).failing = failing
    inside = _drain(draft, scope_id)
    coming = [arrival for arrival in draft.arrivals if arrival.scope not in inside]
    draft.arrivals.clear()
    draft.arrivals.extend(coming)
    draft.dirty |= inside
    if scope_id == ROOT:
        end_deadline(draft)
        draft.emit(WorkflowCompensating, error="" if failing.error is None else failing.error.message)


def end_deadline(draft: Draft) -> None:
    """The instance ends, so nobody needs to wake it for its deadline."""
    if draft.state.has_deadline:
        draft.work[0] = None
    else:
        draft.work.pop(0, None)
    draft.has_deadline = False


def _drain(draft: Draft, scope_id: int) -> set[int]:
    """Cancel what need not be waited for; the scopes that are left, to be looked at."""
    left = {scope_id}
    for token in list(draft.scope(scope_id).tokens.values()):
        if token.compensates or may_have_run(draft, token):
            continue
        inside = tuple(_inner(draft, token))
        if inside:
            draft.drop_work(scope_id, token.id)
            for inner in inside:
                left |= _drain(draft, inner)
        else:
            cancel_token(draft, scope_id, token)
    return left


def has_inside(token: Token) -> bool:
    """Whether a token has scopes of its own."""
    return bool(token.child) or token.items is not None


def _inner(draft: Draft, token: Token) -> Iterable[int]:
    """The scopes that a token's step has opened.

    Raises:
        ItemsNotLoadedError: Not all active items are in the state.
    """
    if token.child:
        return (token.child,)
    return () if token.items is None else draft.active_items(token.items)
