"""``ForEach``: a step that is one token in its scope, a counter, and a scope of its own for each item."""

from __future__ import annotations

from msgspec.structs import replace

from workflows_core.domain.graph import ForEachNode
from workflows_core.domain.kernel.data import decoded, write
from workflows_core.domain.kernel.draft import Arrival, Draft
from workflows_core.domain.kernel.marking import OpenScope, holds, is_quiet
from workflows_core.domain.kernel.routing import UNKNOWN, Routing, fail_step, finish_step
from workflows_core.domain.state import ROOT, ErrorInfo, Items, Scope, Token
from workflows_core.domain.types import StepStatus
from workflows_core.errors import InvalidTransitionError, WorkflowsError

__all__ = ["close_item", "count_busy", "enter_for_each", "expand", "finish_for_each"]


def enter_for_each(draft: Draft, scope_id: int, token: Token, kind: ForEachNode, source: str) -> None:
    """Evaluate the source of the items and begin with the first."""
    condition = draft.program.expression(source)
    try:
        found = condition.evaluate(decoded(draft, scope_id, condition.names))
        if not isinstance(found, list | tuple):
            reason = f"the source {source!r} must give a list, not {type(found).__name__}"
            raise InvalidTransitionError(token.node, reason)
    except WorkflowsError as error:
        fail_step(draft, scope_id, token, ErrorInfo(type(error).__name__, str(error), token.node))
        return
    expand(draft, scope_id, token, kind, tuple(map(draft.program.encode, found)))


def expand(draft: Draft, scope_id: int, token: Token, kind: ForEachNode, items: tuple[bytes, ...]) -> None:
    """Store the items and activate the first of them; without any, the step is finished."""
    if not items:
        finish_for_each(draft, scope_id, token, kind, ())
        return
    first = draft.counter + 1
    draft.counter += len(items)
    started = min(len(items), max(kind.concurrency, 1))
    draft.put(scope_id, replace(token, status=StepStatus.WAITING, items=Items(first, len(items), started)))
    for index, raw in enumerate(items):
        data = {kind.item: raw, kind.index: draft.program.encode(index)}
        item = Scope(first + index, token.node, scope_id, token.id, data=data, index=index, home=first + index)
        if index < started:
            _start_item(draft, item, kind)
        else:
            draft.pending_items[item.id] = item


def _start_item(draft: Draft, item: Scope, kind: ForEachNode) -> None:
    draft.opened[item.id] = OpenScope(item)
    draft.arrivals.append(Arrival(item.id, kind.body, draft.number(), -1))


def close_item(draft: Draft, scope_id: int, parent: int, token: Token, kind: ForEachNode) -> None:
    """Count a finished item, keep its result and begin the next; after the last, have the results gathered."""
    items = token.items
    if items is None:
        msg = f"scope {scope_id} is the item of a token without items"
        raise TypeError(msg)
    result = draft.scope(scope_id).results.get(kind.body)
    draft.item_results[scope_id] = draft.program.encode(None) if result is None else result
    draft.close_scope(scope_id)
    done = items.done + 1
    started = min(items.started + 1, items.total)
    status = StepStatus.SCHEDULED if done == items.total else StepStatus.WAITING
    draft.put(parent, replace(token, status=status, items=replace(items, started=started, done=done)))
    if started > items.started:
        number = items.first + items.started
        stored = Scope(number, token.node, parent, token.id, data=None, index=items.started, home=number)
        _start_item(draft, draft.pending_items.pop(number, stored), kind)


def finish_for_each(
    draft: Draft, scope_id: int, token: Token, kind: ForEachNode, results: tuple[bytes, ...], routing: Routing = UNKNOWN
) -> None:
    """Finish the step with the results of its items."""
    program = draft.program
    result = program.encode([program.decode(raw) for raw in results])
    if kind.into is not None:
        write(draft, scope_id, {kind.into: result})
    finish_step(draft, scope_id, token, result=result, routing=routing)


def count_busy(draft: Draft) -> None:
    """Keep the counters of busy items true, innermost first: an item's state is not read to derive the instance's status."""
    changed = {scope.origin.home for scope in draft.opened.values()} - {ROOT}
    while changed:
        item = max(changed)
        changed.remove(item)
        scope = draft.scope(item)
        before = draft.state.scopes.get(item)
        was = before is not None and not is_quiet(before.tokens.values(), draft.state.scopes.get)
        now = not is_quiet(scope.tokens.values(), draft.look)
        parent = draft.scope(scope.origin.parent)
        token = parent.tokens.get(scope.origin.token)
        if was == now or token is None or token.items is None or not holds(token, item):
            continue
        busy = token.items.busy + (1 if now else -1)
        parent.tokens[token.id] = replace(token, items=replace(token.items, busy=busy))
        if parent.origin.home != ROOT:
            changed.add(parent.origin.home)
