"""A token leaves a step: by its edges, by failing its scope, or by being cancelled."""

from __future__ import annotations

from datetime import datetime

from workflows_core.domain.events import (
    HumanTaskCanceled,
    StepCanceled,
    StepCompleted,
    StepFailed,
    StepSkipped,
    WorkflowFailed,
)
from workflows_core.domain.graph import INSTANCE, GatewayNode, HumanNode, TimerNode
from workflows_core.domain.identity import task_id
from workflows_core.domain.kernel.draft import Arrival, Draft
from workflows_core.domain.program import Exit, StepProgram
from workflows_core.domain.state import ROOT, ErrorInfo, Token
from workflows_core.domain.transition import ItemRange, TaskChange, WorkKind
from workflows_core.domain.types import Outcome, StepStatus, TaskStatus, WorkflowStatus
from workflows_core.errors import InvalidTransitionError, ItemsNotLoadedError, WorkflowsError

__all__ = ["Routing", "cancel_all", "cancel_token", "fail_step", "finish_step", "leave"]


class Routing:
    """What a worker found out about the ways out; None means that nobody has asked."""

    __slots__ = ("conditions", "route")

    def __init__(self, conditions: dict[int, bool] | None = None, route: tuple[str, ...] | None = None) -> None:
        self.conditions = conditions
        self.route = route


UNKNOWN = Routing()


def finish_step(
    draft: Draft,
    scope_id: int,
    token: Token,
    *,
    result: bytes | None = None,
    outcome: Outcome = Outcome.SUCCESS,
    routing: Routing = UNKNOWN,
    started_at: datetime | None = None,
    attempts: int = 1,
    completed_by: str | None = None,
) -> None:
    """Record that a step execution succeeded (or was skipped) and let its token leave."""
    skipped = outcome is Outcome.SKIPPED
    draft.record(
        scope_id,
        token,
        StepStatus.SKIPPED if skipped else StepStatus.SUCCEEDED,
        started_at=started_at,
        attempts=attempts,
        result=result,
        completed_by=completed_by,
    )
    draft.emit(StepSkipped if skipped else StepCompleted, step_name=token.node, execution=token.execution)
    if scope_id != ROOT and result is not None:
        draft.scope(scope_id).keep_result(token.node, result)
    leave(draft, scope_id, token, outcome, routing)


def leave(draft: Draft, scope_id: int, token: Token, outcome: Outcome, routing: Routing) -> None:
    """Move a token over the edges of an outcome, or end it."""
    step = draft.program.steps[token.node]
    if step.ends:
        _end(draft, scope_id, token, step)
        return
    if outcome is Outcome.SUCCESS and step.sole is not None:
        draft.remove(scope_id, token.id)
        draft.arrivals.append(Arrival(scope_id, step.sole.target, token.id, step.sole.index))
        return
    exits = step.exits[outcome]
    if not exits:
        _end(draft, scope_id, token, step)
        return
    if _needs_worker(exits, routing):
        waiting = Token(
            token.id,
            token.node,
            StepStatus.SCHEDULED,
            token.execution,
            token.via,
            token.since,
            outcome=outcome,
            visit=token.visit,
        )
        draft.put(scope_id, waiting)
        draft.schedule(scope_id, waiting, WorkKind.ROUTE)
        return
    try:
        taken = _choose(draft, scope_id, step, exits, routing)
    except WorkflowsError as error:
        draft.remove(scope_id, token.id)
        fail_instance(draft, ErrorInfo(type(error).__name__, str(error), step.name))
        return
    draft.remove(scope_id, token.id)
    for position, way in enumerate(taken):
        number = token.id if position == 0 else draft.number()
        draft.arrivals.append(Arrival(scope_id, way.target, number, way.index))


def fail_step(
    draft: Draft,
    scope_id: int,
    token: Token,
    error: ErrorInfo,
    *,
    outcome: Outcome = Outcome.FAILURE,
    routing: Routing = UNKNOWN,
    started_at: datetime | None = None,
    attempts: int = 1,
) -> None:
    """Record that a step execution failed; take its failure edges, else fail its scope and so on outwards."""
    while True:
        _cancel_inside(draft, token)
        draft.record(
            scope_id, token, StepStatus.FAILED, started_at=started_at, attempts=attempts, error=error
        )  # fmt: skip
        draft.emit(StepFailed, step_name=token.node, execution=token.execution, error=error.message)
        if draft.program.steps[token.node].exits[outcome]:
            leave(draft, scope_id, token, outcome, routing)
            return
        draft.remove(scope_id, token.id)
        if scope_id == ROOT:
            fail_instance(draft, error)
            return
        inner = draft.scope(scope_id)
        cancel_all(draft, scope_id)
        draft.drop_scope(scope_id)
        scope_id, token = inner.origin.parent, draft.scope(inner.origin.parent).tokens[inner.origin.token]
        outcome, routing, started_at, attempts = Outcome.FAILURE, UNKNOWN, None, 1


def fail_instance(draft: Draft, error: ErrorInfo) -> None:
    """Cancel everything and fail the instance."""
    cancel_all(draft, ROOT)
    draft.arrivals.clear()
    draft.status = WorkflowStatus.FAILED
    draft.error = error
    draft.emit(WorkflowFailed, step_name=error.step, error=error.message)


def cancel_all(draft: Draft, scope_id: int, spare: int = 0) -> None:
    """Cancel every token of a scope, with all that is inside them; tokens on their way are dropped too."""
    for token in list(draft.scope(scope_id).tokens.values()):
        if token.id != spare:
            cancel_token(draft, scope_id, token)
    if draft.arrivals:
        kept = [arrival for arrival in draft.arrivals if arrival.scope != scope_id]
        draft.arrivals.clear()
        draft.arrivals.extend(kept)


def cancel_token(draft: Draft, scope_id: int, token: Token) -> None:
    """Cancel one token: its work, its task, its inner scopes."""
    _cancel_inside(draft, token)
    if token.execution and token.outcome is None:
        draft.record(scope_id, token, StepStatus.CANCELED)
        draft.emit(StepCanceled, step_name=token.node, execution=token.execution)
    draft.remove(scope_id, token.id)


def _cancel_inside(draft: Draft, token: Token) -> None:
    """Take back what a token has under way."""
    kind = draft.program.steps[token.node].kind
    if token.status is StepStatus.SCHEDULED or isinstance(kind, TimerNode):
        draft.drop_work(token)
    elif isinstance(kind, HumanNode) and token.status is StepStatus.WAITING:
        task = task_id(draft.state.id, token.execution)
        draft.tasks.append(TaskChange(task, status=TaskStatus.CANCELED))
        draft.emit(HumanTaskCanceled, task_id=task, step_name=token.node)
    if token.child:
        cancel_all(draft, token.child)
        draft.drop_scope(token.child)
    if token.items is not None:
        _cancel_items(draft, token)


def _cancel_items(draft: Draft, token: Token) -> None:
    items = token.items
    if items is None:
        return
    active = [number for number in range(items.first, items.first + items.started) if draft.has_scope(number)]
    if len(active) != items.started - items.done:
        raise ItemsNotLoadedError(draft.state.id)
    for number in active:
        cancel_all(draft, number)
        draft.drop_scope(number)
    draft.dropped_items.append(ItemRange(items.first, items.total))


def _end(draft: Draft, scope_id: int, token: Token, step: StepProgram) -> None:
    """End a token here; a step that is terminal for the instance ends all others too."""
    draft.remove(scope_id, token.id)
    if step.node.terminal == INSTANCE:
        cancel_all(draft, ROOT)
        draft.arrivals.clear()
        draft.status = WorkflowStatus.COMPLETED


def _needs_worker(exits: tuple[Exit, ...], routing: Routing) -> bool:
    return any((way.computed and routing.conditions is None) or (way.named and routing.route is None) for way in exits)


def _choose(draft: Draft, scope_id: int, step: StepProgram, exits: tuple[Exit, ...], routing: Routing) -> list[Exit]:
    """The exits to take, in the order of the definition.

    Raises:
        InvalidTransitionError: None is to be taken, or the result named a step that is no successor.
        ConditionError: A condition cannot be evaluated on the data.
    """
    if isinstance(step.kind, GatewayNode) and step.kind.kind == "parallel":
        return list(exits)
    taken: list[Exit] = []
    any_conditional = False
    for way in exits:
        if way.default or not _holds(draft, scope_id, way, routing):
            continue
        taken.append(way)
        any_conditional = any_conditional or way.is_conditional
        if step.first_only:
            return taken
    if not any_conditional:
        taken.extend(way for way in exits if way.default and (not step.first_only or not taken))
        taken.sort(key=lambda way: way.index)
    _refuse_unknown_route(step, exits, routing)
    if not taken:
        names = frozenset(name for way in exits if way.condition is not None for name in way.condition.names)
        seen = draft.values(scope_id, names)
        if routing.route is not None:
            seen["result"] = list(routing.route)
        raise InvalidTransitionError(step.name, "none of its edges could be taken; add a default edge", seen)
    return taken


def _refuse_unknown_route(step: StepProgram, exits: tuple[Exit, ...], routing: Routing) -> None:
    if not routing.route:
        return
    known = {way.target for way in exits if way.named}
    unknown = [name for name in routing.route if name not in known]
    if unknown and known:
        reason = f"its result names {', '.join(unknown)}, but its successors are {', '.join(sorted(known))}"
        raise InvalidTransitionError(step.name, reason)


def _holds(draft: Draft, scope_id: int, way: Exit, routing: Routing) -> bool:
    if way.condition is not None:
        return bool(way.condition.evaluate(draft.values(scope_id, way.condition.names)))
    if way.computed:
        return bool((routing.conditions or {}).get(way.index))
    if way.named:
        return way.target in (routing.route or ())
    return True
