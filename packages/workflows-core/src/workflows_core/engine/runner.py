"""Runs claimed work: the application's code, then the transition that follows from it, then the next step in place."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from workflows_core.authoring.code import StepCode, ask
from workflows_core.authoring.context import WorkflowContext
from workflows_core.domain.commands import (
    Assignment,
    Command,
    CompleteStep,
    EnterStep,
    FailStep,
    FireTimer,
    GatherItems,
    Place,
    Prepared,
    RouteStep,
)
from workflows_core.domain.graph import ForEachNode, GroupNode, HumanNode, MachineNode, TimerNode
from workflows_core.domain.kernel import decide
from workflows_core.domain.payload import encode_value
from workflows_core.domain.state import InstanceState, Token
from workflows_core.domain.transition import Transition, WorkItem, WorkKind
from workflows_core.domain.types import Outcome, WorkflowStatus
from workflows_core.engine.commits import Commits
from workflows_core.engine.contexts import Contexts
from workflows_core.engine.holding import Holding
from workflows_core.engine.joining import JoinedCommits
from workflows_core.engine.limits import check_size
from workflows_core.engine.programs import LoadedProgram, Programs
from workflows_core.engine.settings import EngineSettings
from workflows_core.engine.sharing import Share, SharedTransactions
from workflows_core.engine.step_calls import code_of, conditions_of, route_of
from workflows_core.engine.step_errors import error_info, message_of, raise_if_cancelled
from workflows_core.errors import (
    InstanceNotFoundError,
    InvalidTransitionError,
    ItemsNotLoadedError,
    PayloadError,
    ReducerError,
    StateError,
)
from workflows_core.ports.codec import PayloadCodec
from workflows_core.ports.executor import WorkRef
from workflows_core.ports.store import Claim, ClaimRequest, Committed, Conflict, Held, WorkflowStore

__all__ = ["StepRunner"]

logger = logging.getLogger(__name__)

_WAITS: Final = frozenset({WorkKind.TIMER, WorkKind.AWAIT})


class _Turn(msgspec.Struct, frozen=True, gc=False):
    """A work item in hand, with the state to decide on."""

    item: WorkItem
    state: InstanceState
    fence: int
    attempt: int
    at: datetime

    @property
    def place(self) -> Place:
        return Place(self.item.scope, self.item.number, self.item.execution)


class StepRunner:
    """Runs work items that were claimed by one worker."""

    def __init__(
        self,
        *,
        store: WorkflowStore,
        commits: Commits,
        programs: Programs,
        contexts: Contexts,
        shared: SharedTransactions,
        codec: PayloadCodec,
        settings: EngineSettings,
        engine: Any,
    ) -> None:
        self._store = store
        self._commits = commits
        self._programs = programs
        self._contexts = contexts
        self._shared = shared
        self._codec = codec
        self._settings = settings
        self._engine = engine

    async def run(
        self,
        claim: Claim,
        *,
        worker: str,
        holding: Holding | None = None,
        admits: Callable[[WorkItem], bool] | None = None,
    ) -> bool:
        """Run a claimed work item, and the steps that follow from it in place.

        Args:
            claim: What was claimed.
            worker: The worker that claimed it.
            holding: Kept up to date with what is held.
            admits: Whether the worker goes on with a following work item; None always does, within the engine's limits.

        Returns:
            False if this process lacks the code of the step: then the work was given back untouched.
        """
        settings = self._settings
        holding = holding if holding is not None else Holding(claim)
        turn: _Turn | None = _Turn(claim.item, claim.state, claim.fence, claim.attempt, claim.at)
        loaded = await self._programs.of(claim.state)
        if not loaded.can_run(claim.item):
            await self._store.release(worker, [claim.ref], untouched=True)
            return False
        steps, deadline = 1, time.monotonic() + settings.max_seconds_in_a_row
        while turn is not None:
            may_go_on = steps < settings.max_steps_in_a_row and time.monotonic() < deadline
            admitted = admits if may_go_on else _admits_nothing
            if _is_transactional(loaded, turn.item):
                turn = await self._share(loaded, turn, worker, admitted, holding)
            else:
                command = await self._work(loaded, turn, holding)
                turn = await self._advance(loaded, turn, command, worker, admitted, holding)
            steps += 1
            if turn is not None:
                holding.go_on(turn.item)
                if not holding.may_begin():
                    await self._store.release(worker, [holding.ref], untouched=True)
                    break
        return True

    async def run_one(self, ref: WorkRef, *, worker: str, queues: frozenset[str] | None) -> bool:
        """Claim one work item and run it; see `WorkflowEngine.run`."""
        lease_s, sent = self._settings.lease_s, time.monotonic()
        codes = self._programs.codes()
        wanted = ClaimRequest(worker=worker, limit=1, lease_s=lease_s, queues=queues, codes=codes, items=(ref,))
        for claim in await self._store.claim(wanted):
            return await self.run(claim, worker=worker, holding=Holding(claim, sent=sent, lease_s=lease_s))
        return False

    # The work itself

    async def _share(
        self,
        loaded: LoadedProgram,
        turn: _Turn,
        worker: str,
        admits: Callable[[WorkItem], bool] | None,
        holding: Holding,
    ) -> _Turn | None:
        """Run a transactional step and commit what follows from it, in one transaction."""
        token = turn.state.find(turn.item.scope, turn.item.number, turn.item.execution)
        if token is None:
            return None

        async def fail(error: BaseException, context: WorkflowContext | None) -> Command:
            if context is None:
                context = self._contexts.make(loaded, turn.state, turn.item.scope, token, attempt=turn.attempt)
            return await self._failure(code_of(loaded, token.node), context, turn, token, error)

        return await self._shared.run(
            turn.item.step,
            turn.state.id,
            work=lambda share: self._work(loaded, turn, holding, share),
            fail=fail,
            advance=lambda command, inside: self._advance(loaded, turn, command, worker, admits, holding, inside),
        )

    async def _work(
        self, loaded: LoadedProgram, turn: _Turn, holding: Holding, share: Share | None = None
    ) -> Command | None:
        """Do what the work item asks for; None when its execution is no longer active."""
        item = turn.item
        token = turn.state.find(item.scope, item.number, item.execution)
        if token is None:
            return None
        match item.kind:
            case WorkKind.RUN:
                return await self._run_code(loaded, turn, token, holding, share)
            case WorkKind.TIMER:
                return FireTimer(place=turn.place, now=turn.at)
            case WorkKind.ENTER:
                return EnterStep(place=turn.place, now=turn.at)
            case WorkKind.GATHER if token.items is not None:
                results = await self._store.item_results(turn.state.id, token.items.first, token.items.total)
                return GatherItems(place=turn.place, now=turn.at, results=tuple(results))
            case WorkKind.PREPARE | WorkKind.ROUTE:
                return await self._ask_code(loaded, turn, token, holding)
            case _:
                return None

    async def _run_code(
        self, loaded: LoadedProgram, turn: _Turn, token: Token, holding: Holding, share: Share | None
    ) -> Command:
        code = code_of(loaded, token.node)
        session = None if share is None else share.session
        context = self._contexts.make(
            loaded, turn.state, turn.item.scope, token, attempt=turn.attempt, stops=holding.stops, session=session
        )
        if share is not None:
            share.context = context
        try:
            if code.can_execute is not None and not await ask(code.can_execute, context):
                outcome, result = Outcome.SKIPPED, None
            else:
                outcome, result = Outcome.SUCCESS, None
                if code.execute is not None:
                    arguments = (context, self._engine) if code.runs_engine else (context,)
                    result = await (code.execute(*arguments) if code.is_async else ask(code.execute, *arguments))
                if code.on_success is not None:
                    await ask(code.on_success, context, result)
            command = CompleteStep(
                place=turn.place,
                now=turn.at,
                started_at=turn.at,
                writes=self._contexts.writes(turn.state, turn.item.scope, context),
                result=None if result is None else encode_value("result", result, self._codec.encode),
                outcome=outcome,
                conditions=(
                    await conditions_of(loaded, token.node, outcome, context)
                    if token.node in loaded.computed_steps
                    else None
                ),
                route=route_of(result) if code.routes else (),
                attempts=turn.attempt,
            )
            if share is not None:
                await share.settle()
            return command
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - any error of the application fails its step
            raise_if_cancelled(error)
            if share is not None:
                share.undo(error)
            return await self._failure(code, context, turn, token, error)

    async def _failure(
        self, code: StepCode, context: WorkflowContext, turn: _Turn, token: Token, error: BaseException
    ) -> FailStep:
        notes: tuple[str, ...] = ()
        if code.on_failure is not None:
            try:
                await ask(code.on_failure, context, error)
            except (Exception, asyncio.CancelledError) as second:  # noqa: BLE001 - recorded beside the first
                raise_if_cancelled(second)
                notes = (f"on_failure raised {type(second).__name__}: {message_of(second)}",)
        return FailStep(
            place=turn.place,
            now=turn.at,
            started_at=turn.at,
            error=error_info(error, token.node, notes),
            attempts=turn.attempt,
        )

    async def _ask_code(self, loaded: LoadedProgram, turn: _Turn, token: Token, holding: Holding) -> Command:
        """Ask the application for what the kernel needs to enter a step, or to leave it."""
        code = code_of(loaded, token.node)
        context = self._contexts.make(
            loaded, turn.state, turn.item.scope, token, attempt=turn.attempt, stops=holding.stops
        )
        try:
            if turn.item.kind is WorkKind.ROUTE:
                outcome = token.outcome or Outcome.SUCCESS
                conditions = await conditions_of(loaded, token.node, outcome, context)
                return RouteStep(place=turn.place, now=turn.at, conditions=conditions, route=())
            answer = await ask(code.prepare, context) if code.prepare is not None else None
            if answer is Outcome.SKIPPED:
                return CompleteStep(place=turn.place, now=turn.at, outcome=Outcome.SKIPPED, route=())
            return self._prepared(loaded, turn, token, answer)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - any error of the application fails its step
            raise_if_cancelled(error)
            return await self._failure(code, context, turn, token, error)

    def _prepared(self, loaded: LoadedProgram, turn: _Turn, token: Token, answer: Any) -> Prepared:
        place, now = turn.place, turn.at
        match loaded.program.graph.nodes[token.node].kind:
            case HumanNode() if isinstance(answer, Assignment):
                return Prepared(place=place, now=now, assignment=answer)
            case TimerNode() if isinstance(answer, timedelta):
                return Prepared(place=place, now=now, delay_s=answer.total_seconds())
            case TimerNode() if isinstance(answer, int | float):
                return Prepared(place=place, now=now, delay_s=float(answer))
            case TimerNode() if isinstance(answer, datetime) and answer.tzinfo is not None:
                return Prepared(place=place, now=now, until=answer)
            case GroupNode() if answer is None or isinstance(answer, str):
                return Prepared(place=place, now=now, branch=answer)
            case ForEachNode() if answer is not None and not isinstance(answer, str | bytes | Mapping):
                items = [encode_value(f"items[{index}]", item, self._codec.encode) for index, item in enumerate(answer)]
                return Prepared(place=place, now=now, items=tuple(items))
            case kind:
                reason = f"its code gave {answer!r}, which is not what a {type(kind).__name__} needs"
                raise InvalidTransitionError(token.node, reason)

    # The transition that follows

    async def _advance(
        self,
        loaded: LoadedProgram,
        turn: _Turn,
        command: Command | None,
        worker: str,
        admits: Callable[[WorkItem], bool] | None,
        holding: Holding,
        inside: JoinedCommits | None = None,
    ) -> _Turn | None:
        """Commit what follows from a command, also inside a transaction; the next turn if the worker goes on in place."""
        state = turn.state
        store, commits = (self._store, self._commits) if inside is None else (inside.store, inside)
        held = Held(turn.item.number, turn.fence, worker)
        while command is not None:
            try:
                transition = self._decide(loaded, turn, state, command, may_fail=inside is None)
            except ItemsNotLoadedError:
                state = await _reload(store, state, turn.item, all_items=True)
                continue
            except StateError as error:
                logger.info("result of %s dropped: %s", turn.item.step, error)
                return None
            following = _following(loaded, transition, turn.item.number, admits)
            take = () if following is None else (following.number,)
            holding.take(None if following is None else following.number)
            result = await commits.commit(transition, held=held, take=take, lease_s=self._settings.lease_s)
            if isinstance(result, Committed):
                if following is None:
                    return None
                if following.number not in result.fences:
                    await self._store.release(worker, [WorkRef(state.id, following.number)])
                    return None
                return _Turn(following, transition.state, result.fences[following.number], 1, result.at)
            if not isinstance(result, Conflict):
                logger.info("result of %s dropped: the lease was lost", turn.item.step)
                return None
            state = await _reload(store, state, turn.item)
        return None

    def _decide(
        self, loaded: LoadedProgram, turn: _Turn, state: InstanceState, command: Command, *, may_fail: bool
    ) -> Transition:
        """Decide; what the rules refuse to take from a step fails the step instead, or is raised if it may not fail here."""
        try:
            transition = decide(loaded.program, state, command)
            check_size(transition, self._settings.max_data_bytes)
        except (ReducerError, PayloadError) as error:
            if not may_fail:
                raise
            failure = FailStep(
                place=turn.place,
                now=turn.at,
                started_at=turn.at,
                error=error_info(error, turn.item.step, ()),
                attempts=turn.attempt,
            )
            return decide(loaded.program, state, failure)
        return transition


def _is_transactional(loaded: LoadedProgram, item: WorkItem) -> bool:
    if item.kind is not WorkKind.RUN:
        return False
    node = loaded.program.graph.nodes.get(item.step)
    return node is not None and isinstance(node.kind, MachineNode) and node.kind.transactional


async def _reload(
    store: WorkflowStore, state: InstanceState, item: WorkItem, *, all_items: bool = False
) -> InstanceState:
    loaded = await store.load(state.id, scopes=(item.scope,), all_items=all_items)
    if loaded is None:
        raise InstanceNotFoundError(state.id)
    return loaded.state


def _admits_nothing(_item: WorkItem) -> bool:
    return False


def _following(
    loaded: LoadedProgram, transition: Transition, number: int, admits: Callable[[WorkItem], bool] | None
) -> WorkItem | None:
    """The work item with which the worker goes on: the same token's, else the first that is ready."""
    if transition.state.status is WorkflowStatus.PAUSED:
        return None
    same = transition.work.get(number)
    candidates = (same, *transition.work.values()) if same is not None else transition.work.values()
    for item in candidates:
        if item is None or item.delay_s > 0 or item.kind in _WAITS:
            continue
        if transition.state.knows_data(item.scope) and loaded.can_run(item) and (admits is None or admits(item)):
            return item
    return None
