"""A token enters a step: what happens depends on what the step is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from workflows_core.domain.commands import Assignment
from workflows_core.domain.events import HumanTaskCreated
from workflows_core.domain.graph import (
    ForEachNode,
    GatewayNode,
    GroupNode,
    HumanNode,
    MachineNode,
    NodeKind,
    TimerNode,
    WebhookNode,
)
from workflows_core.domain.identity import task_id
from workflows_core.domain.kernel.draft import Arrival, Draft
from workflows_core.domain.kernel.routing import Routing, fail_step, finish_step
from workflows_core.domain.state import ErrorInfo, Items, Scope, Token
from workflows_core.domain.templates import render
from workflows_core.domain.transition import TaskOpening, WorkItem, WorkKind
from workflows_core.domain.types import StepStatus
from workflows_core.errors import InvalidTransitionError, WorkflowsError

__all__ = [
    "accept_payload",
    "activate",
    "enter",
    "enter_branch",
    "expand",
    "finish_for_each",
    "nested",
    "open_task",
    "start_item",
    "start_timer",
    "webhook_key",
]


def activate(draft: Draft, scope_id: int, node: str, token_id: int, via: int) -> None:
    """Begin an execution of a step with a token."""
    scope = draft.scope(scope_id)
    visit = scope.visits.get(node, 0) + 1
    scope.visits[node] = visit
    token = Token(token_id, node, StepStatus.SCHEDULED, draft.number(), via, draft.now, visit=visit)
    enter(draft, scope_id, token)


def enter(draft: Draft, scope_id: int, token: Token) -> None:
    """Do what entering the step of a token means; puts it off to a worker if the data of its item are not at hand."""
    kind = draft.program.steps[token.node].kind
    draft.put(scope_id, token)
    if scope_id and _needs_data(kind) and not draft.knows_data(scope_id):
        draft.schedule(scope_id, token, WorkKind.ENTER)
        return
    match kind:
        case MachineNode():
            draft.schedule(scope_id, token, WorkKind.RUN)
        case GatewayNode():
            _enter_gateway(draft, scope_id, token, kind)
        case HumanNode():
            _enter_human(draft, scope_id, token, kind)
        case TimerNode():
            _enter_timer(draft, scope_id, token, kind)
        case WebhookNode():
            _enter_webhook(draft, scope_id, token, kind)
        case GroupNode():
            _enter_group(draft, scope_id, token, kind)
        case ForEachNode():
            _enter_for_each(draft, scope_id, token, kind)


def _needs_data(kind: NodeKind) -> bool:
    if isinstance(kind, GatewayNode | HumanNode | ForEachNode):
        return not kind.computed
    return isinstance(kind, GroupNode) and kind.selector is not None


def _wait(draft: Draft, scope_id: int, token: Token, *, child: int = 0, items: Items | None = None) -> Token:
    waiting = Token(
        token.id, token.node, StepStatus.WAITING, token.execution, token.via, token.since, child, items,
        visit=token.visit,
    )  # fmt: skip
    draft.put(scope_id, waiting)
    return waiting


def _enter_gateway(draft: Draft, scope_id: int, token: Token, kind: GatewayNode) -> None:
    if kind.computed:
        draft.schedule(scope_id, token, WorkKind.RUN)
    else:
        finish_step(draft, scope_id, token)


def _enter_human(draft: Draft, scope_id: int, token: Token, kind: HumanNode) -> None:
    if kind.computed:
        draft.schedule(scope_id, token, WorkKind.PREPARE)
    else:
        open_task(draft, scope_id, token, kind, Assignment())


def open_task(draft: Draft, scope_id: int, token: Token, kind: HumanNode, assignment: Assignment) -> None:
    """Open the task of a human step and let its token wait."""
    lookup = _lookup(draft, scope_id)
    title = assignment.title or render(kind.title, lookup) or token.node
    description = assignment.description
    if description is None and kind.description is not None:
        description = render(kind.description, lookup)
    assignee = assignment.assignee
    if assignee is None and kind.assignee is not None:
        assignee = render(kind.assignee, lookup) or None
    opening = TaskOpening(
        task_id(draft.state.id, token.execution),
        token.execution,
        token.id,
        scope_id,
        token.node,
        title,
        description,
        kind.form_schema,
        assignee,
        kind.candidate_users if assignment.candidate_users is None else assignment.candidate_users,
        kind.candidate_groups if assignment.candidate_groups is None else assignment.candidate_groups,
        kind.due_s,
        assignment.due_at,
        kind.reminder_s,
        assignment.reminder_at,
        kind.priority,
    )
    _wait(draft, scope_id, token)
    draft.opened_tasks.append(opening)
    draft.emit(
        HumanTaskCreated,
        task_id=opening.id,
        step_name=token.node,
        title=title,
        assignee_id=assignee,
        candidate_users=opening.candidate_users,
        candidate_groups=opening.candidate_groups,
    )


def _lookup(draft: Draft, scope_id: int) -> Callable[[str], Any]:
    view = draft.view(scope_id)

    def value(name: str) -> Any:
        return draft.program.decode(view[name]) if name in view else None

    return value


def _enter_timer(draft: Draft, scope_id: int, token: Token, kind: TimerNode) -> None:
    if kind.computed:
        draft.schedule(scope_id, token, WorkKind.PREPARE)
        return
    until = datetime.fromisoformat(kind.until) if kind.until is not None else None
    start_timer(draft, scope_id, token, kind.delay_s, until)


def start_timer(draft: Draft, scope_id: int, token: Token, delay_s: float, until: datetime | None) -> None:
    """Let a token wait for a moment."""
    _wait(draft, scope_id, token)
    queue = draft.program.steps[token.node].node.queue
    draft.work[token.id] = WorkItem(
        token.id, WorkKind.TIMER, token.node, scope_id, token.execution, queue, max(delay_s, 0.0), until
    )


def webhook_key(scope_id: int, step: str, visit: int) -> str:
    """Under which a call is buffered that came before its step."""
    return f"{scope_id}/{step}/{visit}"


def _enter_webhook(draft: Draft, scope_id: int, token: Token, kind: WebhookNode) -> None:
    key = webhook_key(scope_id, token.node, token.visit)
    payload = draft.buffered.get(key)
    if payload is None:
        _wait(draft, scope_id, token)
        return
    draft.buffered = {known: raw for known, raw in draft.buffered.items() if known != key}
    accept_payload(draft, scope_id, token, kind, payload, Routing())


def accept_payload(
    draft: Draft, scope_id: int, token: Token, kind: WebhookNode, payload: bytes, routing: Routing
) -> None:
    """Store the payload of a webhook call and finish its step."""
    if kind.into is not None:
        draft.write(scope_id, {kind.into: payload})
    else:
        draft.write(scope_id, {"webhooks": nested(draft, scope_id, "webhooks", token.node, payload)})
    finish_step(draft, scope_id, token, result=payload, routing=routing)


def nested(draft: Draft, scope_id: int, key: str, inner: str, payload: bytes) -> bytes:
    """The mapping at a data key with one more entry, encoded."""
    program = draft.program
    raw = draft.view(scope_id).get(key)
    known = program.decode(raw) if raw is not None else {}
    entries = dict(known) if isinstance(known, Mapping) else {}
    entries[inner] = program.decode(payload)
    return program.encode(entries)


def _enter_group(draft: Draft, scope_id: int, token: Token, kind: GroupNode) -> None:
    if kind.kind != "conditional":
        _open_scope(draft, scope_id, token, kind.entry)
    elif kind.computed or kind.selector is None:
        draft.schedule(scope_id, token, WorkKind.PREPARE)
    else:
        condition = draft.program.expression(kind.selector)
        try:
            branch = condition.evaluate(draft.values(scope_id, condition.names))
        except WorkflowsError as error:
            fail_step(draft, scope_id, token, ErrorInfo(type(error).__name__, str(error), token.node))
            return
        enter_branch(draft, scope_id, token, kind, None if branch is None else str(branch))


def enter_branch(draft: Draft, scope_id: int, token: Token, kind: GroupNode, branch: str | None) -> None:
    """Enter the chosen branch of a conditional group; a key that has no branch ends the group without a result."""
    chosen = kind.branches.get(branch) if branch is not None else None
    if chosen is None:
        finish_step(draft, scope_id, token)
    else:
        _open_scope(draft, scope_id, token, (chosen,))


def _open_scope(draft: Draft, scope_id: int, token: Token, entry: tuple[str, ...]) -> None:
    inner = draft.add_scope(token.node, scope_id, token.id)
    _wait(draft, scope_id, token, child=inner)
    for node in entry:
        draft.arrivals.append(Arrival(inner, node, draft.number(), -1))
    draft.dirty.add(inner)


def _enter_for_each(draft: Draft, scope_id: int, token: Token, kind: ForEachNode) -> None:
    if kind.computed or kind.source is None:
        draft.schedule(scope_id, token, WorkKind.PREPARE)
        return
    condition = draft.program.expression(kind.source)
    try:
        found = condition.evaluate(draft.values(scope_id, condition.names))
        if not isinstance(found, list | tuple):
            reason = f"the source {kind.source!r} must give a list, not {type(found).__name__}"
            raise InvalidTransitionError(token.node, reason)
    except WorkflowsError as error:
        fail_step(draft, scope_id, token, ErrorInfo(type(error).__name__, str(error), token.node))
        return
    expand(draft, scope_id, token, kind, tuple(map(draft.program.encode, found)))


def expand(draft: Draft, scope_id: int, token: Token, kind: ForEachNode, items: tuple[bytes, ...]) -> None:
    """Store the items of a ``ForEach`` and activate the first of them."""
    if not items:
        finish_for_each(draft, scope_id, token, kind, (), Routing())
        return
    first = draft.counter + 1
    draft.counter += len(items)
    started = min(len(items), max(kind.concurrency, 1))
    _wait(draft, scope_id, token, items=Items(first, len(items), started))
    for index, raw in enumerate(items):
        data = {kind.item: raw, kind.index: draft.program.encode(index)}
        if index < started:
            start_item(draft, scope_id, token, kind, index, first + index, data)
        else:
            draft.pending_items.append(
                Scope(first + index, token.node, scope_id, token.id, data=data, index=index, home=first + index)
            )


def start_item(
    draft: Draft, scope_id: int, token: Token, kind: ForEachNode, index: int, item: int, data: dict[str, bytes] | None
) -> None:
    """Activate one item of a ``ForEach``; data None when they were stored before."""
    draft.add_item(token.node, scope_id, token.id, item, index, data)
    draft.arrivals.append(Arrival(item, kind.body, draft.number(), -1))


def finish_for_each(
    draft: Draft, scope_id: int, token: Token, kind: ForEachNode, results: tuple[bytes, ...], routing: Routing
) -> None:
    """Finish a ``ForEach`` with the results of its items."""
    program = draft.program
    result = program.encode([program.decode(raw) for raw in results])
    if kind.into is not None:
        draft.write(scope_id, {kind.into: result})
    finish_step(draft, scope_id, token, result=result, routing=routing)
