"""Several tokens become one: which joins of a scope can run now, and which never will.

A join looks only at its own scope. From where it still expects tokens is a fact of the graph, see `JoinReach`.
"""

from __future__ import annotations

from collections.abc import Sequence

from workflows_core.domain.kernel.activation import activate
from workflows_core.domain.kernel.cancelling import cancel_token
from workflows_core.domain.kernel.draft import Draft
from workflows_core.domain.kernel.failing import fail_instance
from workflows_core.domain.program import StepProgram
from workflows_core.domain.state import ErrorInfo, Token
from workflows_core.domain.structure import JoinReach
from workflows_core.domain.types import StepStatus
from workflows_core.errors import InvalidTransitionError

__all__ = ["settle_joins"]


def settle_joins(draft: Draft, scope_id: int) -> bool:
    """Run the first join of a scope that can run; fail the instance if there is none, and one that never will.

    Returns:
        Whether anything was done; look again then, for the marking has changed.
    """
    joins = _waiting(draft, scope_id)
    for step, reach, waiting, others in joins:
        expected = {reach.expected[token.via] for token in waiting}
        coming = [token for token in others if all(token.node in steps for steps in expected)]
        if _fires(step, reach, waiting, coming):
            _fire(draft, scope_id, step, waiting, coming)
            return True
    for step, reach, waiting, others in joins:
        reason = _hopeless(step, reach, waiting, others)
        if reason is not None:
            error = InvalidTransitionError(step.name, reason)
            fail_instance(draft, ErrorInfo(type(error).__name__, str(error), step.name))
            return True
    return False


def _waiting(draft: Draft, scope_id: int) -> list[tuple[StepProgram, JoinReach, list[Token], list[Token]]]:
    """Each join with the tokens that wait at it, in order of arrival, and all others; joins in order of their first token."""
    tokens = draft.scope(scope_id).tokens.values()
    waiting: dict[str, list[Token]] = {}
    for token in tokens:
        if token.status is StepStatus.PENDING:
            waiting.setdefault(token.node, []).append(token)
    found: list[tuple[StepProgram, JoinReach, list[Token], list[Token]]] = []
    for name, here in waiting.items():
        step = draft.program.steps[name]
        if step.reach is not None:
            others = [token for token in tokens if token.node != name or token.status is not StepStatus.PENDING]
            found.append((step, step.reach, here, others))
    return found


def _fires(step: StepProgram, reach: JoinReach, waiting: Sequence[Token], coming: Sequence[Token]) -> bool:
    match step.node.join.kind:
        case "any":
            return True
        case "n":
            return len(waiting) >= step.node.join.count
        case "all":
            return reach.forward.keys() <= {token.via for token in waiting}
        case _:
            return not coming


def _fire(draft: Draft, scope_id: int, step: StepProgram, waiting: Sequence[Token], coming: Sequence[Token]) -> None:
    if step.node.join.kind in {"any", "n"}:
        for token in coming:
            cancel_token(draft, scope_id, token)
    for token in waiting:
        draft.remove(scope_id, token.id)
    activate(draft, scope_id, step.name, waiting[-1].id, waiting[-1].via)


def _hopeless(step: StepProgram, reach: JoinReach, waiting: Sequence[Token], others: Sequence[Token]) -> str | None:
    """Why a join can never run; None while it can."""
    join = step.node.join
    if join.kind not in {"all", "n"}:
        return None
    arrived = {token.via for token in waiting}
    lost = [index for index, feeding in reach.feeding.items() if not any(token.node in feeding for token in others)]
    missing = ", ".join(reach.forward[index] for index in lost if index not in arrived)
    if join.kind == "all" and missing:
        return f"the join wants all branches, but nothing can come from {missing} any more"
    if join.kind == "n" and len(lost) == len(reach.feeding):
        names = missing or "anywhere"
        return f"the join wants {join.count} tokens, has {len(waiting)}, and nothing can come from {names} any more"
    return None
