"""Tokens are cancelled: with their work, their tasks and all that is inside their steps."""

from __future__ import annotations

from workflows_core.domain.events import StepCanceled
from workflows_core.domain.graph import HumanNode
from workflows_core.domain.kernel.draft import Draft
from workflows_core.domain.state import Token, Undo
from workflows_core.domain.transition import WorkKind
from workflows_core.domain.types import StepStatus

__all__ = ["cancel_all", "cancel_inside", "cancel_token", "may_have_run", "note_to_undo"]


def cancel_all(draft: Draft, scope_id: int) -> None:
    """Cancel every token of a scope, with all that is inside them."""
    for token in list(draft.scope(scope_id).tokens.values()):
        cancel_token(draft, scope_id, token)


def cancel_token(draft: Draft, scope_id: int, token: Token) -> None:
    """Cancel one token. A step that can be undone, and whose code may have run, counts as to be undone.

    A token that is over already, kept by an instance that has failed, is only taken away.
    """
    cancel_inside(draft, scope_id, token)
    if token.compensates:
        scope = draft.scope(scope_id)
        scope.undo = (*scope.undo, Undo(token.compensates, token.node, token.visit))
    elif may_have_run(draft, token):
        note_to_undo(draft, scope_id, token)
    if not token.status.is_final and token.execution and token.outcome is None:
        draft.record(scope_id, token, StepStatus.CANCELED, attempts=max(token.attempts, 1))
        draft.emit(StepCanceled, step_name=token.node, execution=token.execution)
    draft.remove(scope_id, token.id)


def cancel_inside(draft: Draft, scope_id: int, token: Token) -> None:
    """Take back what a token has under way."""
    draft.drop_work(scope_id, token.id)
    if token.status is StepStatus.WAITING and isinstance(draft.program.steps[token.node].kind, HumanNode):
        draft.withdraw_task(token)
    if token.child:
        _cancel_scope(draft, token.child)
    if token.items is not None:
        for item in draft.active_items(token.items):
            _cancel_scope(draft, item)
        draft.drop_items(token.items)


def may_have_run(draft: Draft, token: Token) -> bool:
    """Whether a worker may be running, or may have run, code of a token's step that has something to undo."""
    step = draft.program.steps[token.node]
    return step.node.compensable and step.work_kind(token) is WorkKind.RUN


def note_to_undo(draft: Draft, scope_id: int, token: Token) -> None:
    """Remember that an execution is to be undone if its scope fails."""
    scope = draft.scope(scope_id)
    scope.undo = (*scope.undo, Undo(token.execution, token.node, token.visit))


def _cancel_scope(draft: Draft, scope_id: int) -> None:
    cancel_all(draft, scope_id)
    draft.close_scope(scope_id)
