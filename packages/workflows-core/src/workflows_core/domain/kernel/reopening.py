"""A parked instance goes on: where it failed, from another step, or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from workflows_core.domain.commands import Discard, Retry, Writes
from workflows_core.domain.events import WorkflowDiscarded, WorkflowRetried
from workflows_core.domain.graph import GroupNode, WorkflowGraph
from workflows_core.domain.kernel.activation import begin_execution
from workflows_core.domain.kernel.cancelling import cancel_all, cancel_token
from workflows_core.domain.kernel.data import apply_writes
from workflows_core.domain.kernel.draft import Arrival, Draft
from workflows_core.domain.kernel.failing import has_inside
from workflows_core.domain.state import ROOT, Scope, Token
from workflows_core.domain.structure import reachable, successors_of
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
    if draft.state.status.is_final:
        draft.awaits_slot = draft.program.graph.concurrency is not None
    if draft.state.status.is_final or (command.from_step is not None and draft.scope(ROOT).failing is not None):
        arm_deadline(draft, None)
    draft.parked = draft.error = None
    if command.from_step is not None:
        _rewind(draft, command.from_step)
        return
    stopped = _stopped(draft)
    if not stopped:
        raise NothingToReopenError(draft.state.id)
    _reopen_all(draft, stopped)


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
    """Go on from a step, in each scope in which it can be begun; what is not in its way there, or elsewhere, is opened again."""
    scopes = _scopes_to_begin_in(draft, step)
    if not scopes:
        known = tuple(name for name in draft.program.graph.nodes if _scopes_to_begin_in(draft, name))
        raise UnknownStepError(draft.state.id, step, known)
    beside = _beside(draft.program.graph, step)
    for scope_id in scopes:
        scope = draft.scope(scope_id)
        for token in list(scope.tokens.values()):
            if _branch_of(draft.program.graph, token) not in beside:
                cancel_token(draft, scope_id, token)
        scope.failing = None
    _reopen_all(draft, _stopped(draft), from_step=step)
    for scope_id in scopes:
        draft.put_to_enter(scope_id, begin_execution(draft, scope_id, step, draft.number(), -1))


def _scopes_to_begin_in(draft: Draft, step: str) -> list[int]:
    """The top for its steps; for a step inside a group each scope of that group in which something has failed, also further inside."""
    node = draft.program.graph.nodes.get(step)
    if node is None:
        return []
    if not node.scope:
        return [ROOT]
    scopes = draft.state.scopes
    failed = _failed_scopes(scopes) or scopes.keys()
    return [
        scope_id
        for scope_id in sorted(failed)
        if scopes[scope_id].node == node.scope and not draft.is_ending(scopes[scope_id].parent)
    ]


def _failed_scopes(scopes: Mapping[int, Scope]) -> set[int]:
    """Scopes in which a step has failed, and those around them; none if it was the instance itself, as at its deadline."""
    failed: set[int] = set()
    for scope in scopes.values():
        if any(token.status is StepStatus.FAILED for token in scope.tokens.values()):
            current = scope.id
            while current not in failed:
                failed.add(current)
                current = scopes[current].parent
    return failed


def _beside(graph: WorkflowGraph, step: str) -> set[str]:
    """The steps of other branches of a parallel group: those that lie on no way on which the step lies."""
    group = graph.nodes.get(graph.nodes[step].scope)
    entries = group.kind.entry if group is not None and isinstance(group.kind, GroupNode) else ()
    successors = successors_of(graph.edges)
    own: set[str] = set()
    others: set[str] = set()
    for entry in entries:
        reached = reachable(successors, (entry,))
        if step in reached:
            own |= reached
        else:
            others |= reached
    return others - own


def _branch_of(graph: WorkflowGraph, token: Token) -> str:
    """The step that says to which branch a token belongs: that at which it is, or from which it has come where branches come together.

    That is where it has not been entered, because it waits for others or was stopped on its way, and where each is let through.
    """
    comes = token.via >= 0 and (not token.execution or graph.nodes[token.node].join.kind == "each")
    return graph.edges[token.via].source if comes else token.node


def _stopped(draft: Draft) -> list[tuple[int, Token]]:
    """What has failed and what that cancelled, with its scopes; not what this decision has taken away."""
    scopes = [(scope_id, draft.look(scope_id)) for scope_id in sorted(draft.state.scopes.keys() - draft.closed)]
    return [
        (scope_id, token)
        for scope_id, scope in scopes
        if scope is not None
        for token in scope.tokens.values()
        if token.status in _STOPPED
    ]


def _reopen_all(draft: Draft, stopped: Sequence[tuple[int, Token]], from_step: str | None = None) -> None:
    """Open again what was stopped."""
    executions = tuple(token.execution for _, token in stopped if token.execution)
    draft.emit(WorkflowRetried, executions=executions, from_step=from_step)
    draft.dirty.update(draft.state.scopes.keys() - draft.closed)
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
        draft.put_to_enter(scope_id, again)
