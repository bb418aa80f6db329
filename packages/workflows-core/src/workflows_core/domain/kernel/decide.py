"""Everything that can be asked of an instance, one handler each, and the loop that moves its tokens until all rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from workflows_core.domain.commands import (
    Cancel,
    Command,
    CompleteStep,
    CompleteTask,
    EnterStep,
    FailStep,
    FireTimer,
    GatherItems,
    Place,
    Prepared,
    ReassignTask,
    ReceiveWebhook,
    Reschedule,
    RouteStep,
    Start,
)
from workflows_core.domain.events import (
    HumanTaskCompleted,
    HumanTaskReassigned,
    WebhookReceived,
    WorkflowCanceled,
    WorkflowCompleted,
    WorkflowStarted,
)
from workflows_core.domain.graph import ForEachNode, GroupNode, HumanNode, TimerNode, WebhookNode
from workflows_core.domain.kernel.activation import (
    accept_payload,
    activate,
    enter,
    enter_branch,
    expand,
    finish_for_each,
    nested,
    open_task,
    start_timer,
    webhook_key,
)
from workflows_core.domain.kernel.closing import close_scope
from workflows_core.domain.kernel.draft import Arrival, Draft
from workflows_core.domain.kernel.joins import fire_joins, refuse_hopeless_joins
from workflows_core.domain.kernel.routing import Routing, cancel_all, fail_instance, fail_step, finish_step, leave
from workflows_core.domain.program import Program
from workflows_core.domain.state import ROOT, ErrorInfo, InstanceState, Scope, Token
from workflows_core.domain.transition import ItemRange, TaskChange, Transition, WorkKind
from workflows_core.domain.types import StepStatus, TaskStatus, WorkflowStatus
from workflows_core.errors import InstanceFinishedError, StaleExecutionError, WebhookAlreadyUsedError

__all__ = ["decide", "initial_state"]

MAX_HOPS: Final = 10_000
"""Steps entered in one decision; more means a loop that never waits."""


def initial_state(program: Program, command: Start) -> InstanceState:
    """The state before the first transition of a new instance."""
    return InstanceState(
        id=command.instance_id,
        tenant=command.actor.tenant,
        workflow=program.graph.name,
        version=program.graph.version,
        graph_hash=program.graph.hash,
        scopes={ROOT: Scope(ROOT, data=command.data)},
        created_by=command.actor.id,
        started_at=command.now,
        metadata=command.metadata,
    )


def decide(program: Program, state: InstanceState, command: Command, actor: str = "system") -> Transition:
    """Decide what a command does to an instance.

    Pure: the same arguments give the same transition; nothing is read or written elsewhere. Times come in with the command
    and are only recorded; delays go out as seconds, to be added to the store's clock.

    Args:
        program: The graph that runs.
        state: The state to decide on; for `Start` what `initial_state` made.
        command: What is asked.
        actor: Who asks, for the audit record, where the command does not say.

    Returns:
        The transition to revision ``state.revision + 1``.

    Raises:
        InstanceFinishedError: The instance is over.
        StaleExecutionError: The step execution of the command is no longer active.
        WebhookAlreadyUsedError: The webhook address was used before.
        ReducerError: A step adds to a key that has no reducer, or a value that its reducer cannot take.
        ItemsNotLoadedError: The state lacks item scopes that the decision needs.
    """
    if state.status.is_final:
        raise InstanceFinishedError(state.id, state.status)
    draft = Draft(program, state, actor, getattr(command, "now", None))
    _HANDLERS[type(command)](draft, command)
    _settle(draft)
    return draft.transition()


def _settle(draft: Draft) -> None:
    """Move tokens until every one of them waits for something outside."""
    arrivals, dirty = draft.arrivals, draft.dirty
    while draft.status is None:
        if arrivals:
            _arrive(draft, arrivals.popleft())
        elif dirty:
            scope_id = dirty.pop()
            if _look_at(draft, scope_id):
                dirty.add(scope_id)
        else:
            break
    if draft.status is None and not draft.scope(ROOT).tokens:
        draft.status = WorkflowStatus.COMPLETED
    if draft.status is WorkflowStatus.COMPLETED:
        draft.emit(WorkflowCompleted)


def _arrive(draft: Draft, arrival: Arrival) -> None:
    scope_id, node, token_id, via = arrival
    draft.hops += 1
    if draft.hops > MAX_HOPS:
        reason = (
            f"went through {MAX_HOPS} steps without waiting once; a loop must contain a step that waits or runs code"
        )
        fail_instance(draft, ErrorInfo("InvalidTransitionError", f"step {node!r}: {reason}", node))
    elif draft.program.steps[node].merges:
        draft.put(scope_id, Token(token_id, node, StepStatus.PENDING, via=via, since=draft.now))
        draft.dirty.add(scope_id)
    else:
        activate(draft, scope_id, node, token_id, via)


def _look_at(draft: Draft, scope_id: int) -> bool:
    """Fire what can fire in a scope, or close it; says whether to look again."""
    scope = draft.scope(scope_id)
    if any(token.status is StepStatus.PENDING for token in scope.tokens.values()):
        if fire_joins(draft, scope_id):
            return True
        if refuse_hopeless_joins(draft, scope_id):
            return False
    if scope_id == ROOT or not _is_over(draft, scope_id):
        return False
    close_scope(draft, scope_id)
    return False


def _is_over(draft: Draft, scope_id: int) -> bool:
    scope = draft.scope(scope_id)
    token = draft.scope(scope.origin.parent).tokens.get(scope.origin.token)
    if scope_id in draft.closed or token is None or not _opened(token, scope_id):
        return False
    if not scope.tokens:
        return True
    kind = draft.program.steps[scope.origin.node].kind
    return isinstance(kind, GroupNode) and kind.kind == "race" and len(scope.tokens) < len(kind.entry)


def _opened(token: Token, scope_id: int) -> bool:
    """Whether a token is the one whose step opened a scope."""
    if token.items is None:
        return token.child == scope_id
    return token.items.first <= scope_id < token.items.first + token.items.total


def _token(draft: Draft, place: Place) -> Token:
    token = draft.state.find(place.scope, place.token, place.execution)
    if token is None:
        raise StaleExecutionError(draft.state.id, "", place.execution)
    return token


def _worked(draft: Draft, place: Place) -> Token:
    """The token that a worker's command moves; its work item is used up unless the decision writes it anew."""
    token = _token(draft, place)
    draft.drop_work(token)
    return token


def _start(draft: Draft, _command: Start) -> None:
    draft.scope(ROOT).writable_data()
    draft.emit(WorkflowStarted, workflow_version=draft.state.version)
    draft.arrivals.append(Arrival(ROOT, draft.program.graph.initial, draft.number(), -1))


def _complete_step(draft: Draft, command: CompleteStep) -> None:
    place = command.place
    token = _worked(draft, place)
    draft.apply(place.scope, command.writes)
    finish_step(
        draft,
        place.scope,
        token,
        result=command.result,
        outcome=command.outcome,
        routing=Routing(command.conditions, command.route),
        started_at=command.started_at,
        attempts=command.attempts,
        completed_by=token.actor,
    )


def _fail_step(draft: Draft, command: FailStep) -> None:
    fail_step(
        draft,
        command.place.scope,
        _worked(draft, command.place),
        command.error,
        outcome=command.outcome,
        routing=Routing(command.conditions, command.route),
        started_at=command.started_at,
        attempts=command.attempts,
    )


def _enter_step(draft: Draft, command: EnterStep) -> None:
    enter(draft, command.place.scope, _worked(draft, command.place))


def _prepared(draft: Draft, command: Prepared) -> None:
    place = command.place
    token = _worked(draft, place)
    match draft.program.steps[token.node].kind:
        case HumanNode() as kind if command.assignment is not None:
            open_task(draft, place.scope, token, kind, command.assignment)
        case TimerNode():
            start_timer(draft, place.scope, token, command.delay_s or 0.0, command.until)
        case GroupNode() as kind:
            enter_branch(draft, place.scope, token, kind, command.branch)
        case ForEachNode() as kind:
            expand(draft, place.scope, token, kind, command.items or ())
        case _:
            raise StaleExecutionError(draft.state.id, token.node, place.execution)


def _route_step(draft: Draft, command: RouteStep) -> None:
    token = _worked(draft, command.place)
    if token.outcome is None:
        raise StaleExecutionError(draft.state.id, token.node, token.execution)
    leave(draft, command.place.scope, token, token.outcome, Routing(command.conditions, command.route))


def _fire_timer(draft: Draft, command: FireTimer) -> None:
    token = _worked(draft, command.place)
    finish_step(draft, command.place.scope, token, routing=Routing(command.conditions, command.route))


def _gather_items(draft: Draft, command: GatherItems) -> None:
    token = _worked(draft, command.place)
    kind = draft.program.steps[token.node].kind
    if token.items is None or not isinstance(kind, ForEachNode):
        raise StaleExecutionError(draft.state.id, token.node, token.execution)
    draft.dropped_items.append(ItemRange(token.items.first, token.items.total))
    routing = Routing(command.conditions, command.route)
    finish_for_each(draft, command.place.scope, token, kind, command.results, routing)


def _complete_task(draft: Draft, command: CompleteTask) -> None:
    place = command.place
    token = _token(draft, place)
    kind = draft.program.steps[token.node].kind
    if token.status is not StepStatus.WAITING or not isinstance(kind, HumanNode):
        raise StaleExecutionError(draft.state.id, token.node, token.execution)
    forms = nested(draft, place.scope, "forms", token.node, command.form_document)
    merged = command.form if kind.into is None else {kind.into: command.form_document}
    draft.write(place.scope, {**merged, "forms": forms})
    draft.tasks.append(
        TaskChange(
            command.task_id,
            status=TaskStatus.COMPLETED,
            completed_by=command.actor.id,
            comment=command.comment,
        )
    )
    draft.emit(
        HumanTaskCompleted,
        task_id=command.task_id,
        step_name=token.node,
        completed_by=command.actor.id,
        comment=command.comment,
    )
    if kind.handler:
        handled = Token(
            token.id,
            token.node,
            StepStatus.SCHEDULED,
            token.execution,
            token.via,
            token.since,
            visit=token.visit,
            actor=command.actor.id,
        )
        draft.put(place.scope, handled)
        draft.schedule(place.scope, handled, WorkKind.RUN)
        return
    finish_step(
        draft,
        place.scope,
        token,
        result=command.form_document,
        routing=Routing(command.conditions, command.route),
        completed_by=command.actor.id,
    )


def _reassign_task(draft: Draft, command: ReassignTask) -> None:
    token = _token(draft, command.place)
    if token.status is not StepStatus.WAITING:
        raise StaleExecutionError(draft.state.id, token.node, token.execution)
    draft.tasks.append(TaskChange(command.task_id, assignee_id=command.assignee_id))
    draft.emit(
        HumanTaskReassigned,
        task_id=command.task_id,
        step_name=token.node,
        assignee_id=command.assignee_id,
        previous_assignee_id=command.previous_assignee_id,
        reason=command.reason,
    )


def _receive_webhook(draft: Draft, command: ReceiveWebhook) -> None:
    scope = draft.state.scopes.get(command.scope)
    kind = draft.program.steps[command.step].kind
    key = webhook_key(command.scope, command.step, command.visit)
    if scope is None or not isinstance(kind, WebhookNode):
        raise WebhookAlreadyUsedError(draft.state.id, command.step)
    for token in scope.tokens.values():
        if token.node == command.step and token.visit == command.visit and token.status is StepStatus.WAITING:
            draft.emit(WebhookReceived, step_name=command.step)
            routing = Routing(command.conditions, command.route)
            accept_payload(draft, command.scope, token, kind, command.payload, routing)
            return
    if command.visit <= scope.visits.get(command.step, 0) or key in draft.buffered:
        raise WebhookAlreadyUsedError(draft.state.id, command.step)
    draft.buffered = {**draft.buffered, key: command.payload}
    draft.emit(WebhookReceived, step_name=command.step, early=True)


def _cancel(draft: Draft, command: Cancel) -> None:
    cancel_all(draft, ROOT)
    draft.status = WorkflowStatus.CANCELED
    draft.emit(WorkflowCanceled, reason=command.reason)


def _reschedule(draft: Draft, command: Reschedule) -> None:
    step = draft.program.steps.get(command.step)
    waiting = [
        (scope.id, token)
        for scope in draft.state.scopes.values()
        for token in scope.tokens.values()
        if token.node == command.step and token.status is StepStatus.WAITING
    ]
    if step is None or not isinstance(step.kind, TimerNode) or not waiting:
        raise StaleExecutionError(draft.state.id, command.step, 0)
    for scope_id, token in waiting:
        start_timer(draft, scope_id, token, command.delay_s, None)


_HANDLERS: Final[dict[type, Callable[[Draft, Any], None]]] = {
    Start: _start,
    CompleteStep: _complete_step,
    FailStep: _fail_step,
    EnterStep: _enter_step,
    Prepared: _prepared,
    RouteStep: _route_step,
    FireTimer: _fire_timer,
    GatherItems: _gather_items,
    CompleteTask: _complete_task,
    ReassignTask: _reassign_task,
    ReceiveWebhook: _receive_webhook,
    Cancel: _cancel,
    Reschedule: _reschedule,
}
