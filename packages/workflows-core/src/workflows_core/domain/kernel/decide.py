"""Everything that can be asked of an instance, one handler each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from workflows_core.domain.commands import (
    AbandonStep,
    Assignment,
    Cancel,
    Command,
    CompleteStep,
    CompleteTask,
    Discard,
    EnterStep,
    ExpireInstance,
    ExpireStep,
    FailStep,
    FireTimer,
    GatherItems,
    Place,
    Prepared,
    ReassignTask,
    ReceiveSignal,
    ReceiveWebhook,
    Reschedule,
    Retry,
    RouteStep,
    Start,
)
from workflows_core.domain.events import (
    HumanTaskCompleted,
    HumanTaskReassigned,
    StepRetryScheduled,
    WebhookReceived,
    WorkflowCanceled,
)
from workflows_core.domain.graph import ForEachNode, GroupNode, HumanNode, TimerNode, WebhookNode
from workflows_core.domain.kernel.activation import accept_payload, enter, enter_branch, open_task, start_timer
from workflows_core.domain.kernel.beginning import begin, start
from workflows_core.domain.kernel.cancelling import cancel_all
from workflows_core.domain.kernel.data import apply_writes, has_data, put_entry, write
from workflows_core.domain.kernel.draft import Draft, webhook_key
from workflows_core.domain.kernel.failing import begin_failing, fail_instance, has_to_undo
from workflows_core.domain.kernel.items import expand, finish_for_each
from workflows_core.domain.kernel.marking import is_unbegun
from workflows_core.domain.kernel.reopening import discard, retry
from workflows_core.domain.kernel.routing import Routing, fail_step, finish_step, leave
from workflows_core.domain.kernel.settling import settle
from workflows_core.domain.kernel.signals import receive_signal, refuse_repetition
from workflows_core.domain.kernel.undoing import abandon, park_undoing, settle_draining, undone
from workflows_core.domain.program import Program
from workflows_core.domain.state import ROOT, ErrorInfo, Failing, InstanceState, Token
from workflows_core.domain.transition import TaskChange, Transition, WorkKind
from workflows_core.domain.types import Outcome, StepStatus, TaskStatus, WorkflowStatus
from workflows_core.errors import (
    InstanceEndingError,
    InstanceFinishedError,
    ItemsNotLoadedError,
    StaleExecutionError,
    WebhookAlreadyUsedError,
)

__all__ = ["decide"]

_LIMITED: Final = frozenset(WorkKind) - {WorkKind.ROUTE, WorkKind.UNDO}
"""What the time limit of a step holds for: what follows from its end, and its compensation, have none."""


def decide(program: Program, state: InstanceState, command: Command, actor: str = "system") -> Transition:
    """Decide what a command does to an instance.

    Pure: the same arguments give the same transition; nothing is read or written elsewhere. Times come in with the command
    and are only recorded; delays go out as seconds, to be added to the store's clock.

    Args:
        program: The graph that runs.
        state: The state to decide on; for `Start` what `initial_state` made.
        command: What is asked.
        actor: Who asks, for the audit record.

    Returns:
        The transition to revision ``state.revision + 1``.

    Raises:
        InstanceFinishedError: The instance is over.
        InstanceEndingError: The instance is undoing what it has done.
        NotParkedError: A retry or a discard of an instance that is not parked.
        NothingToReopenError: A retry without a step, where nothing was kept.
        StaleExecutionError: The step execution of the command is no longer active, or no longer at the point that the command is for.
        WebhookAlreadyUsedError: The webhook address was used before.
        SignalAlreadyReceivedError: The deduplication key of the signal was seen before.
        InputValidationError: The payload of a signal does not satisfy the schema of the step that waits for it.
        ReducerError: A step adds to a key that has no reducer, or a value that its reducer cannot take.
        ItemsNotLoadedError: The state lacks item scopes that the decision needs.
    """
    if isinstance(command, ReceiveSignal):
        refuse_repetition(state, command)
    if state.status.is_final and not isinstance(command, Retry | Discard):
        raise InstanceFinishedError(state.id, state.status)
    draft = Draft(program, state, actor, getattr(command, "now", None))
    _HANDLERS[type(command)](draft, command)
    settle(draft)
    return draft.transition()


def _token(draft: Draft, place: Place) -> Token:
    token = draft.state.find(place.scope, place.token, place.execution)
    if token is None:
        raise StaleExecutionError(draft.state.id, "", place.execution)
    return token


def _worked(draft: Draft, place: Place, *kinds: WorkKind) -> tuple[Token, WorkKind]:
    """The token that a worker's command moves; its work item is used up unless the decision writes it anew.

    A command for another kind of work than the token has now is an echo: that work was done before.
    """
    token = _token(draft, place)
    kind = draft.program.steps[token.node].work_kind(token)
    if kind is None or kind not in kinds:
        raise StaleExecutionError(draft.state.id, token.node, place.execution)
    draft.work[token.id] = None
    draft.awaits_slot = False  # what is claimed has got it
    return token, kind


def _complete_step(draft: Draft, command: CompleteStep) -> None:
    place = command.place
    token, kind = _worked(draft, place, WorkKind.RUN, WorkKind.PREPARE, WorkKind.UNDO)
    apply_writes(draft, place.scope, command.writes)
    if kind is WorkKind.UNDO:
        undone(draft, place.scope, token, command)
        return
    if draft.is_ending(place.scope):
        settle_draining(draft, place.scope, token, command)
        return
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
    place = command.place
    token, kind = _worked(draft, place, *WorkKind)
    if kind is not WorkKind.UNDO and draft.is_ending(place.scope):
        settle_draining(draft, place.scope, token, command)
    elif command.retry_s is not None:
        _try_again(draft, token, command, command.retry_s)
    elif kind is WorkKind.UNDO:
        park_undoing(draft, place.scope, token, command)
    elif kind is WorkKind.ROUTE:
        fail_instance(draft, command.error, (place.scope, token))
    else:
        fail_step(
            draft,
            place.scope,
            token,
            command.error,
            outcome=command.outcome,
            routing=Routing(command.conditions, command.route),
            started_at=command.started_at,
            attempts=command.attempts,
        )


def _try_again(draft: Draft, token: Token, command: FailStep, delay_s: float) -> None:
    later = replace(token, attempts=command.attempts, failures=token.failures + 1)
    draft.put(command.place.scope, later, delay_s=delay_s)
    draft.emit(
        StepRetryScheduled,
        step_name=token.node,
        execution=token.execution,
        attempt=command.attempts,
        delay_s=delay_s,
        error=command.error.message,
    )


def _expire_step(draft: Draft, command: ExpireStep) -> None:
    place = command.place
    token, _ = _worked(draft, place, *_LIMITED)
    draft.awaits_slot = draft.state.awaits_slot  # what is claimed because its time is over needs no slot
    limit = draft.program.steps[token.node].timeout_s
    message = f"step {token.node!r} took longer than {limit} s"
    error = ErrorInfo("StepTimeoutError", message, token.node, notes=command.notes)
    attempts = max(command.attempts, token.attempts, 1)
    if draft.is_ending(place.scope):
        abandon(draft, place.scope, token, began=True, attempts=attempts)
    else:
        fail_step(draft, place.scope, token, error, outcome=Outcome.TIMEOUT, attempts=attempts)


def _expire_instance(draft: Draft, _command: ExpireInstance) -> None:
    if not draft.has_deadline:
        raise StaleExecutionError(draft.state.id, "", 0)
    draft.work[0] = None
    draft.has_deadline = False
    fail_instance(draft, ErrorInfo("InstanceTimeoutError", "the instance was not over at its deadline"))


def _abandon_step(draft: Draft, command: AbandonStep) -> None:
    token, _ = _worked(draft, command.place, WorkKind.RUN)
    if not draft.is_ending(command.place.scope):
        raise StaleExecutionError(draft.state.id, token.node, token.execution)
    abandon(draft, command.place.scope, token, began=command.began, attempts=command.attempts)


def _enter_step(draft: Draft, command: EnterStep) -> None:
    token, _ = _worked(draft, command.place, WorkKind.ENTER)
    if is_unbegun(token):
        begin(draft, token)
        return
    if not has_data(draft, command.place.scope):
        raise ItemsNotLoadedError(draft.state.id)
    enter(draft, command.place.scope, token)


def _prepared(draft: Draft, command: Prepared) -> None:
    scope_id = command.place.scope
    token, _ = _worked(draft, command.place, WorkKind.PREPARE)
    match draft.program.steps[token.node].kind:
        case HumanNode() as kind:
            open_task(draft, scope_id, token, kind, command.assignment or Assignment())
        case TimerNode():
            start_timer(draft, scope_id, token, command.delay_s or 0.0, command.until)
        case GroupNode() as kind:
            enter_branch(draft, scope_id, token, kind, command.branch)
        case ForEachNode() as kind:
            expand(draft, scope_id, token, kind, command.items or ())


def _route_step(draft: Draft, command: RouteStep) -> None:
    token, _ = _worked(draft, command.place, WorkKind.ROUTE)
    routing = Routing(command.conditions or {}, command.route or ())
    leave(draft, command.place.scope, token, token.outcome or Outcome.SUCCESS, routing)


def _fire_timer(draft: Draft, command: FireTimer) -> None:
    token, _ = _worked(draft, command.place, WorkKind.TIMER)
    finish_step(draft, command.place.scope, token, routing=Routing(command.conditions, command.route))


def _gather_items(draft: Draft, command: GatherItems) -> None:
    token, _ = _worked(draft, command.place, WorkKind.GATHER)
    kind = draft.program.steps[token.node].kind
    if token.items is None or not isinstance(kind, ForEachNode):
        raise StaleExecutionError(draft.state.id, token.node, token.execution)
    draft.drop_items(token.items)
    routing = Routing(command.conditions, command.route)
    finish_for_each(draft, command.place.scope, token, kind, command.results, routing)


def _complete_task(draft: Draft, command: CompleteTask) -> None:
    place = command.place
    token = _token(draft, place)
    kind = draft.program.steps[token.node].kind
    if token.status is not StepStatus.WAITING or not isinstance(kind, HumanNode):
        raise StaleExecutionError(draft.state.id, token.node, token.execution)
    write(draft, place.scope, command.form if kind.into is None else {kind.into: command.form_document})
    put_entry(draft, place.scope, "forms", token.node, command.form_document)
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
        draft.put(place.scope, replace(token, status=StepStatus.SCHEDULED, actor=command.actor.id))
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
    step = draft.program.steps.get(command.step)
    if scope is None or step is None or not isinstance(step.kind, WebhookNode):
        raise WebhookAlreadyUsedError(draft.state.id, command.step)
    for token in scope.tokens.values():
        if token.node == command.step and token.visit == command.visit and token.status is StepStatus.WAITING:
            draft.work[token.id] = None
            draft.emit(WebhookReceived, step_name=command.step)
            routing = Routing(command.conditions, command.route)
            accept_payload(draft, command.scope, token, step.kind, command.payload, routing)
            return
    key = webhook_key(command.scope, command.step, command.visit)
    if command.visit <= scope.visits.get(command.step, 0) or key in draft.buffered:
        raise WebhookAlreadyUsedError(draft.state.id, command.step)
    draft.buffered = {**draft.buffered, key: command.payload}
    draft.emit(WebhookReceived, step_name=command.step, early=True)


def _cancel(draft: Draft, command: Cancel) -> None:
    root = draft.scope(ROOT)
    if not command.terminate:
        if root.failing is not None:
            raise InstanceEndingError(draft.state.id, draft.state.phase)
        if has_to_undo(draft, ROOT):
            begin_failing(draft, ROOT, Failing(None, WorkflowStatus.CANCELED, command.reason))
            return
    cancel_all(draft, ROOT)
    root.failing, root.undo = None, ()
    draft.status, draft.error, draft.parked = WorkflowStatus.CANCELED, None, None
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
    Start: start,
    CompleteStep: _complete_step,
    FailStep: _fail_step,
    ExpireStep: _expire_step,
    ExpireInstance: _expire_instance,
    AbandonStep: _abandon_step,
    EnterStep: _enter_step,
    Prepared: _prepared,
    RouteStep: _route_step,
    FireTimer: _fire_timer,
    GatherItems: _gather_items,
    CompleteTask: _complete_task,
    ReassignTask: _reassign_task,
    ReceiveWebhook: _receive_webhook,
    ReceiveSignal: receive_signal,
    Cancel: _cancel,
    Retry: retry,
    Discard: discard,
    Reschedule: _reschedule,
}
