"""A token leaves a step: by its edges, or by failing its scope."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from workflows_core.domain.events import StepCompleted, StepSkipped
from workflows_core.domain.graph import INSTANCE, GatewayNode
from workflows_core.domain.kernel.cancelling import cancel_all, cancel_inside, note_to_undo
from workflows_core.domain.kernel.data import decoded
from workflows_core.domain.kernel.draft import Arrival, Draft
from workflows_core.domain.kernel.failing import (
    begin_failing,
    fail_instance,
    give_up,
    halt,
    has_to_undo,
    record_failure,
)
from workflows_core.domain.program import Exit, StepProgram
from workflows_core.domain.state import ROOT, ErrorInfo, Failing, Token
from workflows_core.domain.types import Outcome, StepStatus, WorkflowStatus
from workflows_core.errors import InvalidTransitionError, WorkflowsError

__all__ = ["UNKNOWN", "Routing", "fail_step", "finish_step", "leave"]


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
    step = draft.program.steps[token.node]
    if step.timeout_s is not None:
        draft.drop_work(scope_id, token.id)
    if step.node.compensable and not skipped:
        note_to_undo(draft, scope_id, token)
    if scope_id != ROOT and not isinstance(step.kind, GatewayNode):
        draft.scope(scope_id).keep_result(token.node, draft.program.encode(None) if result is None else result)
    leave(draft, scope_id, token, outcome, routing)


def leave(draft: Draft, scope_id: int, token: Token, outcome: Outcome, routing: Routing) -> None:
    """Move a token over the edges of an outcome, or end it."""
    step = draft.program.steps[token.node]
    exits = step.exits[outcome]
    if not exits or (step.ends and outcome in {Outcome.SUCCESS, Outcome.SKIPPED}):
        _end(draft, scope_id, token, step)
        return
    if outcome is Outcome.SUCCESS and step.sole is not None:
        draft.remove(scope_id, token.id)
        draft.arrivals.append(Arrival(scope_id, step.sole.target, token.id, step.sole.index))
        return
    if any((way.computed and routing.conditions is None) or (way.named and routing.route is None) for way in exits):
        waiting = replace(token, status=StepStatus.SCHEDULED, child=0, items=None, outcome=outcome, actor=None)
        draft.put(scope_id, waiting)
        return
    try:
        taken = _choose(draft, scope_id, step, exits, routing)
    except WorkflowsError as error:
        lost = replace(token, status=StepStatus.SCHEDULED, child=0, items=None, outcome=outcome, actor=None)
        fail_instance(draft, ErrorInfo(type(error).__name__, str(error), step.name), (scope_id, lost))
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
    keeps: bool = True,
) -> None:
    """Record that a step execution failed for good; take its failure edges, else fail its scope and so on outwards.

    Each scope undoes what was done in it before the failure goes on. Where nobody takes the failure and nothing is to be undone,
    the instance fails as it stands, so that it can go on from there; unless ``keeps`` says that something was undone already.
    """
    if draft.program.steps[token.node].exits[outcome]:
        _fail_and_leave(draft, scope_id, token, error, outcome, routing, started_at=started_at, attempts=attempts)
        return
    groups: list[tuple[int, Token]] = []
    current = scope_id
    while True:
        if has_to_undo(draft, current, besides=token.id):
            _fail_inside(draft, scope_id, token, error, started_at=started_at, attempts=attempts)
            inner = tuple(group.id for _, group in groups)
            begin_failing(draft, current, Failing(error, WorkflowStatus.FAILED, groups=inner))
            return
        if current == ROOT and keeps:
            halt(draft, error, (scope_id, token), groups, started_at=started_at, attempts=attempts)
            return
        if current == ROOT:
            _fail_inside(draft, scope_id, token, error, started_at=started_at, attempts=attempts)
            for place, group in groups:
                _fail_inside(draft, place, group, error)
            give_up(draft, error)
            return
        current, group = draft.container(current)
        if draft.program.steps[group.node].exits[Outcome.FAILURE]:
            _fail_inside(draft, scope_id, token, error, started_at=started_at, attempts=attempts)
            for place, inside in groups:
                _fail_inside(draft, place, inside, error)
            _fail_and_leave(draft, current, group, error, Outcome.FAILURE, UNKNOWN)
            return
        groups.append((current, group))


def _fail_inside(
    draft: Draft,
    scope_id: int,
    token: Token,
    error: ErrorInfo,
    *,
    started_at: datetime | None = None,
    attempts: int = 1,
) -> None:
    """Record a failure that goes on outwards, and take the token away."""
    cancel_inside(draft, scope_id, token)
    record_failure(draft, scope_id, token, error, started_at=started_at, attempts=attempts)
    draft.remove(scope_id, token.id)


def _fail_and_leave(
    draft: Draft,
    scope_id: int,
    token: Token,
    error: ErrorInfo,
    outcome: Outcome,
    routing: Routing,
    *,
    started_at: datetime | None = None,
    attempts: int = 1,
) -> None:
    cancel_inside(draft, scope_id, token)
    record_failure(draft, scope_id, token, error, started_at=started_at, attempts=attempts)
    leave(draft, scope_id, token, outcome, routing)


def _end(draft: Draft, scope_id: int, token: Token, step: StepProgram) -> None:
    """End a token here; a step that is terminal for the instance ends all others too."""
    draft.remove(scope_id, token.id)
    draft.scope(scope_id).branch_ended = True
    if step.node.terminal == INSTANCE:
        cancel_all(draft, ROOT)
        draft.status = WorkflowStatus.COMPLETED


def _choose(draft: Draft, scope_id: int, step: StepProgram, exits: tuple[Exit, ...], routing: Routing) -> list[Exit]:
    """The exits to take, in the order of the definition.

    Raises:
        InvalidTransitionError: None is to be taken, or the result named a step that is no successor.
        ConditionError: A condition cannot be evaluated on the data.
    """
    if routing.route:
        _refuse_unknown_route(step, exits, routing.route)
    if isinstance(step.kind, GatewayNode) and step.kind.kind == "parallel":
        return list(exits)
    taken: list[Exit] = []
    for way in exits:
        if not way.default and _holds(draft, scope_id, way, routing):
            taken.append(way)
            if step.first_only:
                return taken
    if not any(way.is_conditional for way in taken):
        taken = [way for way in exits if way.default or way in taken]
    if not taken:
        names = frozenset(name for way in exits if way.condition is not None for name in way.condition.names)
        seen = decoded(draft, scope_id, names)
        if routing.route is not None:
            seen["result"] = list(routing.route)
        raise InvalidTransitionError(step.name, "none of its edges could be taken; add a default edge", seen)
    return taken[:1] if step.first_only else taken


def _refuse_unknown_route(step: StepProgram, exits: tuple[Exit, ...], route: tuple[str, ...]) -> None:
    known = {way.target for way in exits if way.named}
    unknown = [name for name in route if name not in known]
    if unknown and known:
        reason = f"its result names {', '.join(unknown)}, but its successors are {', '.join(sorted(known))}"
        raise InvalidTransitionError(step.name, reason)


def _holds(draft: Draft, scope_id: int, way: Exit, routing: Routing) -> bool:
    if way.condition is not None:
        return bool(way.condition.evaluate(decoded(draft, scope_id, way.condition.names)))
    if way.computed:
        return bool((routing.conditions or {}).get(way.index))
    if way.named:
        return way.target in (routing.route or ())
    return True
