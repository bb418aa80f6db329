"""A scope ends: its group gets its result."""

from __future__ import annotations

from workflows_core.domain.graph import ForEachNode, GroupNode
from workflows_core.domain.kernel.cancelling import cancel_all
from workflows_core.domain.kernel.data import write
from workflows_core.domain.kernel.draft import Draft
from workflows_core.domain.kernel.items import close_item
from workflows_core.domain.kernel.marking import OpenScope
from workflows_core.domain.kernel.routing import finish_step
from workflows_core.domain.state import Token

__all__ = ["close_if_over", "is_over"]


def close_if_over(draft: Draft, scope_id: int) -> bool:
    """End an inner scope if its last token has ended, or its race is decided; says whether it did."""
    if not is_over(draft, scope_id) or not draft.is_open(scope_id):
        return False
    scope = draft.scope(scope_id)
    parent, token = draft.container(scope_id)
    match draft.program.steps[token.node].kind:
        case GroupNode() as kind:
            _close_group(draft, scope, parent, token, kind)
        case ForEachNode() as kind:
            close_item(draft, scope_id, parent, token, kind)
        case _:
            return False
    return True


def is_over(draft: Draft, scope_id: int) -> bool:
    """Whether the last token of an inner scope has ended, or its race is decided."""
    scope = draft.scope(scope_id)
    if not scope.tokens:
        return True
    kind = draft.program.steps[scope.origin.node].kind
    return scope.branch_ended and isinstance(kind, GroupNode) and kind.kind == "race"


def _close_group(draft: Draft, scope: OpenScope, parent: int, token: Token, kind: GroupNode) -> None:
    cancel_all(draft, scope.origin.id)
    own = scope.data or {}
    outputs = {outer: own[inner] for inner, outer in kind.outputs.items() if own.get(inner)}
    result = _group_result(draft, scope, kind)
    if kind.into is not None:
        outputs[kind.into] = draft.program.encode(None) if result is None else result
    draft.close_scope(scope.origin.id)
    write(draft, parent, outputs)
    finish_step(draft, parent, token, result=result)


def _group_result(draft: Draft, scope: OpenScope, kind: GroupNode) -> bytes | None:
    results = scope.results
    if kind.callback is not None:
        return results.get(kind.callback)
    if kind.kind == "parallel":
        program = draft.program
        return program.encode([program.decode(results[node]) if node in results else None for node in kind.entry])
    return next(reversed(results.values()), None)
