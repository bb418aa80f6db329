"""A scope ends: its group gets its result, the next item of a ``ForEach`` begins."""

from __future__ import annotations

from workflows_core.domain.graph import ForEachNode, GroupNode
from workflows_core.domain.kernel.activation import start_item
from workflows_core.domain.kernel.draft import Draft
from workflows_core.domain.kernel.marking import OpenScope
from workflows_core.domain.kernel.routing import cancel_all, finish_step
from workflows_core.domain.state import Items, Token
from workflows_core.domain.transition import WorkKind
from workflows_core.domain.types import StepStatus

__all__ = ["close_scope"]


def close_scope(draft: Draft, scope_id: int) -> None:
    """End an inner scope whose last token has ended (or whose race is decided)."""
    scope = draft.scope(scope_id)
    token = draft.scope(scope.origin.parent).tokens[scope.origin.token]
    draft.closed.add(scope_id)
    match draft.program.steps[token.node].kind:
        case GroupNode() as kind:
            _close_group(draft, scope_id, scope, token, kind)
        case ForEachNode() as kind:
            _close_item(draft, scope_id, scope, token, kind)
        case _:
            msg = f"scope {scope_id} belongs to {token.node}, which is no group"
            raise TypeError(msg)


def _close_group(draft: Draft, scope_id: int, scope: OpenScope, token: Token, kind: GroupNode) -> None:
    parent = scope.origin.parent
    if kind.kind == "race":
        cancel_all(draft, scope_id)
    own = scope.data or {}
    outputs = {outer: own[inner] for inner, outer in kind.outputs.items() if own.get(inner)}
    result = _group_result(draft, scope, kind)
    if kind.into is not None:
        outputs[kind.into] = result if result is not None else draft.program.encode(None)
    draft.drop_scope(scope_id)
    draft.write(parent, outputs)
    finish_step(draft, parent, token, result=result)


def _group_result(draft: Draft, scope: OpenScope, kind: GroupNode) -> bytes | None:
    results = scope.results
    if kind.callback is not None:
        return results.get(kind.callback)
    if kind.kind == "parallel":
        program = draft.program
        return program.encode([program.decode(results[node]) if node in results else None for node in kind.entry])
    return next(reversed(results.values()), None)


def _close_item(draft: Draft, scope_id: int, scope: OpenScope, token: Token, kind: ForEachNode) -> None:
    items = token.items
    if items is None:
        return
    parent = scope.origin.parent
    result = scope.results.get(kind.body)
    draft.item_results[scope_id] = result if result is not None else draft.program.encode(None)
    following = items.started < items.total
    counted = Items(
        items.first, items.total, items.started + 1 if following else items.started, items.done + 1, items.busy
    )
    finished = counted.done == counted.total
    status = StepStatus.SCHEDULED if finished else StepStatus.WAITING
    counting = Token(
        token.id, token.node, status, token.execution, token.via, token.since, 0, counted, visit=token.visit
    )
    draft.put(parent, counting)
    if following:
        start_item(draft, parent, counting, kind, items.started, items.first + items.started, None)
    elif finished:
        draft.schedule(parent, counting, WorkKind.GATHER)
