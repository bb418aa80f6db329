"""A parked instance goes on: where it failed, from another step, or not at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from workflows_core.domain.commands import Discard, Retry, Writes
from workflows_core.domain.events import WorkflowDiscarded, WorkflowRetried
from workflows_core.domain.kernel.activation import activate, enter
from workflows_core.domain.kernel.cancelling import cancel_all
from workflows_core.domain.kernel.data import apply_writes
from workflows_core.domain.kernel.draft import Arrival, Draft
from workflows_core.domain.kernel.failing import has_inside
from workflows_core.domain.state import ROOT, Token
from workflows_core.domain.transition import WorkItem, WorkKind
from workflows_core.domain.types import Parking, StepStatus, WorkflowStatus
from workflows_core.errors import NothingToReopenError, NotParkedError, UnknownStepError

__all__ = ["arm_deadline", "discard", "retry"]

_STOPPED = frozenset({StepStatus.FAILED, StepStatus.CANCELED})


def arm_deadline(
    draft: Draft, deadline_s: float | None, delay_s: float = 0.0, begin_at: datetime | None = None
) -> None:
    """Have the instance woken at its deadline.

    Args:
        draft: The decision.
        deadline_s: Seconds after its beginning; None is the deadline of the graph.
        delay_s: Seconds until its beginning.
        begin_at: Moment of its beginning; wins over ``delay_s``.
    """
    graph = draft.program.graph
    seconds = graph.deadline_s if deadline_s is None else deadline_s
    if seconds is None:
        return
    draft.work[0] = WorkItem(
        0,
        WorkKind.DEADLINE,
        "",
        queue=graph.queue or graph.nodes[graph.initial].queue,
        delay_s=delay_s + seconds,
        due_at=None if begin_at is None else _moment_after(begin_at, seconds),
        priority=draft.state.priority,
    )
    draft.has_deadline = True


def _moment_after(moment: datetime, seconds: float) -> datetime:
    """So many seconds later; the last moment that there is if that is too far."""
    try:
        return moment + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def retry(draft: Draft, command: Retry) -> None:
    """Let a parked instance go on."""
    if draft.parked is None:
        raise NotParkedError(draft.state.id, draft.state.status)
    draft.require_items()  # what is parked may be in any of them
    apply_writes(draft, ROOT, Writes(command.changed, command.deleted))
    was_over = draft.state.status.is_final
    if was_over:
        draft.awaits_slot = draft.program.graph.concurrency is not None
    if command.from_step is not None:
        _rewind(draft, command.from_step)
    else:
        _reopen_all(draft)
    draft.parked = draft.error = None
    if was_over:
        arm_deadline(draft, None)


def discard(draft: Draft, command: Discard) -> None:
    """Give up what is parked: the kept marking of a failed instance, or a compensation that failed."""
    if draft.parked is None:
        raise NotParkedError(draft.state.id, draft.state.status)
    draft.require_items()  # what is parked may be in any of them
    draft.emit(WorkflowDiscarded, reason=command.reason)
    if draft.parked is Parking.DEAD_LETTER:
        cancel_all(draft, ROOT)
        draft.status, draft.parked = WorkflowStatus.FAILED, None
        return
    for scope in draft.state.scopes.values():
        for token in scope.tokens.values():
            if token.compensates and token.status is StepStatus.FAILED:
                draft.remove(scope.id, token.id)
    draft.parked = draft.error = None


def _rewind(draft: Draft, step: str) -> None:
    node = draft.program.graph.nodes.get(step)
    if node is None or node.scope:
        tops = tuple(name for name, known in draft.program.graph.nodes.items() if not known.scope)
        raise UnknownStepError(draft.state.id, step, tops)
    root = draft.scope(ROOT)
    cancel_all(draft, ROOT)
    root.failing = None
    draft.emit(WorkflowRetried, from_step=step)
    activate(draft, ROOT, step, draft.number(), -1)


def _reopen_all(draft: Draft) -> None:
    """Open again what has failed and what that cancelled."""
    scopes = sorted(draft.state.scopes.values(), key=lambda found: found.id)
    stopped = [(scope.id, token) for scope in scopes for token in scope.tokens.values() if token.status in _STOPPED]
    if not stopped:
        raise NothingToReopenError(draft.state.id)
    draft.emit(WorkflowRetried, executions=tuple(token.execution for _, token in stopped if token.execution))
    draft.dirty.update(scope.id for scope in scopes)
    for scope_id, token in stopped:
        _reopen(draft, scope_id, token)


def _reopen(draft: Draft, scope_id: int, token: Token) -> None:
    if not token.execution:
        draft.scope(scope_id).tokens.pop(token.id)
        draft.arrivals.append(Arrival(scope_id, token.node, token.id, token.via))
        return
    if token.outcome is None and not token.compensates:
        draft.reopened.append(token.execution)
    again = replace(token, status=StepStatus.SCHEDULED, failures=0, since=draft.now, round=token.round + 1)
    if has_inside(token):
        whole = token.items is not None and token.items.done == token.items.total
        draft.put(scope_id, again if whole else replace(again, status=StepStatus.WAITING))
    elif token.outcome is not None or token.actor is not None or token.compensates:
        draft.put(scope_id, again)
    else:
        enter(draft, scope_id, again)
