"""A token enters a step: what happens depends on what the step is."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from msgspec.structs import replace

from workflows_core.domain.commands import Assignment
from workflows_core.domain.events import HumanTaskCreated
from workflows_core.domain.graph import (
    ForEachNode,
    GatewayNode,
    GroupNode,
    HumanNode,
    SignalNode,
    TimerNode,
    WebhookNode,
)
from workflows_core.domain.identity import task_id
from workflows_core.domain.kernel.data import decoded, has_data, put_entry, view, write
from workflows_core.domain.kernel.draft import Arrival, Draft, webhook_key
from workflows_core.domain.kernel.failing import fail_instance
from workflows_core.domain.kernel.items import enter_for_each
from workflows_core.domain.kernel.routing import UNKNOWN, Routing, fail_step, finish_step
from workflows_core.domain.kernel.signals import enter_signal
from workflows_core.domain.state import ErrorInfo, Token
from workflows_core.domain.templates import render
from workflows_core.domain.transition import TaskOpening, WorkKind
from workflows_core.domain.types import StepStatus
from workflows_core.errors import InvalidTransitionError, WorkflowsError

__all__ = ["accept_payload", "activate", "begin_execution", "enter", "enter_branch", "open_task", "start_timer"]

MAX_VISITS: Final = 1000
"""How often one decision may enter the same step; more means a loop in which nothing waits."""


def activate(draft: Draft, scope_id: int, node: str, token_id: int, via: int) -> None:
    """Begin an execution of a step with a token."""
    token = begin_execution(draft, scope_id, node, token_id, via)
    if token.visit > MAX_VISITS and token.visit - draft.scope(scope_id).origin.visits.get(node, 0) > MAX_VISITS:
        reason = f"was entered {MAX_VISITS} times without a pause; let its loop contain a step that waits or runs code"
        error = InvalidTransitionError(node, reason)
        fail_instance(draft, ErrorInfo(type(error).__name__, str(error), node))
        return
    enter(draft, scope_id, token)


def begin_execution(draft: Draft, scope_id: int, node: str, token_id: int, via: int) -> Token:
    """A token with a new execution of a step, which it has still to enter."""
    visits = draft.scope(scope_id).visits
    visit = visits[node] = visits.get(node, 0) + 1
    return Token(token_id, node, StepStatus.SCHEDULED, draft.number(), via, draft.now, visit=visit)


def enter(draft: Draft, scope_id: int, token: Token) -> None:
    """Do what entering the step of a token means, or have a worker do it: run code, or come back with the data of an item."""
    step = draft.program.steps[token.node]
    if step.entry_work is not WorkKind.ENTER or (scope_id and step.reads_data and not has_data(draft, scope_id)):
        draft.put(scope_id, token)
        return
    match step.kind:
        case GatewayNode():
            finish_step(draft, scope_id, token)
        case HumanNode() as kind:
            open_task(draft, scope_id, token, kind, Assignment())
        case TimerNode(delay_s=delay_s, until=until):
            start_timer(draft, scope_id, token, delay_s, None if until is None else datetime.fromisoformat(until))
        case WebhookNode() as kind:
            _enter_webhook(draft, scope_id, token, kind)
        case SignalNode() as kind:
            enter_signal(draft, scope_id, token, kind)
        case GroupNode(kind="conditional", selector=str(selector)) as kind:
            _select_branch(draft, scope_id, token, kind, selector)
        case GroupNode(entry=entry):
            _open_scope(draft, scope_id, token, entry)
        case ForEachNode(source=str(source)) as kind:
            enter_for_each(draft, scope_id, token, kind, source)


def open_task(draft: Draft, scope_id: int, token: Token, kind: HumanNode, assignment: Assignment) -> None:
    """Open the task of a human step and let its token wait."""
    seen = view(draft, scope_id)

    def lookup(name: str) -> Any:
        return draft.program.decode(seen[name]) if name in seen else None

    title = assignment.title or render(kind.title, lookup) or token.node
    description = assignment.description
    if description is None and kind.description is not None:
        description = render(kind.description, lookup)
    assignee = assignment.assignee
    if assignee is None and kind.assignee is not None:
        assignee = render(kind.assignee, lookup) or None
    opening = TaskOpening(
        task_id(draft.state.id, token.execution, token.round),
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
    draft.put(scope_id, replace(token, status=StepStatus.WAITING))
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


def start_timer(draft: Draft, scope_id: int, token: Token, delay_s: float, until: datetime | None) -> None:
    """Let a token wait for a moment."""
    draft.put(scope_id, replace(token, status=StepStatus.WAITING), delay_s=max(delay_s, 0.0), due_at=until)


def _enter_webhook(draft: Draft, scope_id: int, token: Token, kind: WebhookNode) -> None:
    key = webhook_key(scope_id, token.node, token.visit)
    payload = draft.buffered.get(key)
    if payload is None:
        draft.put(scope_id, replace(token, status=StepStatus.WAITING))
        return
    draft.buffered = {known: raw for known, raw in draft.buffered.items() if known != key}
    accept_payload(draft, scope_id, token, kind, payload)


def accept_payload(
    draft: Draft, scope_id: int, token: Token, kind: WebhookNode, payload: bytes, routing: Routing = UNKNOWN
) -> None:
    """Store the payload of a webhook call and finish its step."""
    if kind.into is not None:
        write(draft, scope_id, {kind.into: payload})
    else:
        put_entry(draft, scope_id, "webhooks", token.node, payload)
    finish_step(draft, scope_id, token, result=payload, routing=routing)


def _select_branch(draft: Draft, scope_id: int, token: Token, kind: GroupNode, selector: str) -> None:
    condition = draft.program.expression(selector)
    try:
        branch = condition.evaluate(decoded(draft, scope_id, condition.names))
    except WorkflowsError as error:
        fail_step(draft, scope_id, token, ErrorInfo(type(error).__name__, str(error), token.node))
        return
    enter_branch(draft, scope_id, token, kind, None if branch is None else str(branch))


def enter_branch(draft: Draft, scope_id: int, token: Token, kind: GroupNode, branch: str | None) -> None:
    """Enter the chosen branch of a conditional group; a key that has no branch ends the group without a result."""
    chosen = kind.branches.get(branch) if branch is not None else None
    if chosen is not None:
        _open_scope(draft, scope_id, token, (chosen,))
        return
    if kind.into is not None:
        write(draft, scope_id, {kind.into: draft.program.encode(None)})
    finish_step(draft, scope_id, token)


def _open_scope(draft: Draft, scope_id: int, token: Token, entry: tuple[str, ...]) -> None:
    inner = draft.add_scope(token.node, scope_id, token.id)
    draft.put(scope_id, replace(token, status=StepStatus.WAITING, child=inner))
    for node in entry:
        draft.arrivals.append(Arrival(inner, node, draft.number(), -1))
    draft.dirty.add(inner)
