"""Several tokens become one: which joins of a scope can run now, and which never will.

A join looks only at its own scope and only forward, so joins never wait for each other: the forward graph has no cycle.
"""

from __future__ import annotations

from collections.abc import Iterable

from workflows_core.domain.kernel.activation import activate
from workflows_core.domain.kernel.draft import Draft
from workflows_core.domain.kernel.routing import cancel_token, fail_instance
from workflows_core.domain.program import StepProgram
from workflows_core.domain.state import ErrorInfo, Token
from workflows_core.domain.types import StepStatus
from workflows_core.errors import InvalidTransitionError

__all__ = ["fire_joins", "refuse_hopeless_joins"]


def fire_joins(draft: Draft, scope_id: int) -> bool:
    """Run the first join of a scope that can run.

    Returns:
        Whether one ran; look again then, for it changed the marking.
    """
    tokens = draft.scope(scope_id).tokens
    for step, waiting in _waiting(draft, tokens.values()):
        others = [token for token in tokens.values() if not _waits_at(token, step.name)]
        coming = [token for token in others if step.name in draft.program.steps[token.node].reach]
        if not _fires(step, waiting, coming):
            continue
        if step.node.join.kind in ("any", "n"):
            for token in coming:
                cancel_token(draft, scope_id, token)
        for token in waiting[:-1]:
            draft.remove(scope_id, token.id)
        activate(draft, scope_id, step.name, waiting[-1].id, waiting[-1].via)
        return True
    return False


def refuse_hopeless_joins(draft: Draft, scope_id: int) -> bool:
    """Fail the instance if a join of a scope can never run.

    Returns:
        Whether the instance was failed.
    """
    tokens = draft.scope(scope_id).tokens
    for step, waiting in _waiting(draft, tokens.values()):
        others = [token for token in tokens.values() if not _waits_at(token, step.name)]
        reason = _hopeless(draft, step, waiting, others)
        if reason is not None:
            error = InvalidTransitionError(step.name, reason)
            fail_instance(draft, ErrorInfo(type(error).__name__, str(error), step.name))
            return True
    return False


def _waits_at(token: Token, node: str) -> bool:
    return token.status is StepStatus.PENDING and token.node == node


def _waiting(draft: Draft, tokens: Iterable[Token]) -> list[tuple[StepProgram, list[Token]]]:
    """Tokens that wait at each join, in order of arrival; the joins in order of their first token."""
    found: dict[str, list[Token]] = {}
    for token in tokens:
        if token.status is StepStatus.PENDING:
            found.setdefault(token.node, []).append(token)
    return [(draft.program.steps[node], waiting) for node, waiting in found.items()]


def _fires(step: StepProgram, waiting: list[Token], coming: list[Token]) -> bool:
    join = step.node.join
    if join.kind == "any":
        return True
    if join.kind == "n":
        return len(waiting) >= join.count
    if join.kind == "all":
        return {index for index, _ in step.forward_in} <= {token.via for token in waiting}
    return not coming


def _hopeless(draft: Draft, step: StepProgram, waiting: list[Token], others: list[Token]) -> str | None:
    join = step.node.join
    if join.kind not in ("all", "n"):
        return None
    steps = draft.program.steps
    arrived = {token.via for token in waiting}

    def may_still_come(source: str) -> bool:
        return any(token.node == source or source in steps[token.node].reach for token in others)

    missing = [(index, source) for index, source in step.forward_in if index not in arrived]
    if join.kind == "all":
        lost = [source for _, source in missing if not may_still_come(source)]
        return f"the join wants all branches, but nothing can come from {', '.join(lost)} any more" if lost else None
    if any(may_still_come(source) for _, source in step.forward_in):
        return None
    sources = ", ".join(source for _, source in missing)
    return f"the join wants {join.count} tokens, has {len(waiting)}, and nothing can come from {sources} any more"
