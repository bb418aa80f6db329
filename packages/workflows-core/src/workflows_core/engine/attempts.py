"""One attempt at a work item: the application's code is called, and what came of it becomes a command."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from workflows_core.authoring.code import StepCode
from workflows_core.authoring.context import WorkflowContext
from workflows_core.authoring.surroundings import Undoing
from workflows_core.domain.commands import (
    AbandonStep,
    Assignment,
    Command,
    CompleteStep,
    EnterStep,
    ExpireInstance,
    ExpireStep,
    FailStep,
    FireTimer,
    GatherItems,
    Place,
    Prepared,
    RouteStep,
)
from workflows_core.domain.graph import ForEachNode, GroupNode, HumanNode, Node, TimerNode
from workflows_core.domain.payload import encode_value
from workflows_core.domain.state import ErrorInfo, InstanceState, Token
from workflows_core.domain.transition import WorkItem, WorkKind
from workflows_core.domain.types import Outcome
from workflows_core.engine.calls import Calls
from workflows_core.engine.contexts import Contexts
from workflows_core.engine.holding import Holding
from workflows_core.engine.programs import LoadedProgram
from workflows_core.engine.settings import EngineSettings
from workflows_core.engine.sharing import Share
from workflows_core.engine.step_calls import code_of, conditions_of, route_of
from workflows_core.engine.step_errors import error_info, message_of, names_of, raise_if_cancelled
from workflows_core.engine.time_limits import TimeLimit
from workflows_core.errors import InvalidTransitionError, StepTimeoutError
from workflows_core.ports.codec import PayloadCodec
from workflows_core.ports.store import WorkflowStore

__all__ = ["Attempts", "Turn"]


class Turn(msgspec.Struct, frozen=True, gc=False):
    """A work item in hand, with the state to decide on.

    Attributes:
        item: The work item; of its time limit it has what is left from ``at`` on.
        state: The instance.
        fence: Of its claim.
        claims: Its claims since a transition wrote it, this one included.
        at: When it was claimed, by the store's clock.
        crashes: How many of those claims ended with their lease.
        heard: When the store's answer came, by the clock of the event loop; from then on the present moment is counted.
    """

    item: WorkItem
    state: InstanceState
    fence: int
    claims: int
    at: datetime
    crashes: int = 0
    heard: float = msgspec.field(default_factory=lambda: asyncio.get_running_loop().time())

    @property
    def now(self) -> datetime:
        """The present moment, by the store's clock as far as it is known here."""
        return self.at + timedelta(seconds=asyncio.get_running_loop().time() - self.heard)

    @property
    def place(self) -> Place:
        """The address of the step execution."""
        return Place(self.item.scope, self.item.number, self.item.execution)

    def attempt(self, token: Token) -> int:
        """Which attempt at the step execution of a token this is; from 1."""
        return token.attempts + self.claims

    @property
    def token(self) -> Token | None:
        """The token that it moves; None if its execution is no longer active."""
        return self.state.find(self.item.scope, self.item.number, self.item.execution)


class Attempts:
    """Does what work items ask for."""

    def __init__(
        self, *, store: WorkflowStore, contexts: Contexts, codec: PayloadCodec, settings: EngineSettings, engine: Any
    ) -> None:
        self._store = store
        self._contexts = contexts
        self._codec = codec
        self._settings = settings
        self._engine = engine
        self._calls = Calls()

    def close(self) -> None:
        """Start no threads any more."""
        self._calls.close()

    async def do(
        self, loaded: LoadedProgram, turn: Turn, holding: Holding, share: Share | None = None
    ) -> Command | None:
        """Do what a work item asks for.

        Returns:
            What came of it; None if its execution is no longer active.
        """
        holding.begin()
        kind = turn.item.kind
        if kind is WorkKind.DEADLINE:
            return ExpireInstance(now=turn.now)
        token = turn.token
        if token is None:
            return None
        if kind is WorkKind.EXPIRE:
            return await self._expire(loaded, turn, token)
        if not token.compensates and turn.state.is_draining(turn.item.scope):
            before = turn.attempt(token) - 1
            return AbandonStep(place=turn.place, now=turn.now, began=before > 0, attempts=before)
        if turn.crashes >= self._settings.max_crashes:
            return self._worker_lost(turn, token)
        match kind:
            case WorkKind.TIMER:
                return FireTimer(place=turn.place, now=turn.now)
            case WorkKind.ENTER:
                return EnterStep(place=turn.place, now=turn.now)
            case WorkKind.GATHER if token.items is not None:
                results = await self._store.item_results(turn.state.id, token.items.first, token.items.total)
                return GatherItems(place=turn.place, now=turn.now, results=tuple(results))
            case WorkKind.RUN | WorkKind.UNDO | WorkKind.PREPARE | WorkKind.ROUTE:
                return await self._run(loaded, turn, token, holding, share)
            case _:
                return None

    async def fail(
        self,
        loaded: LoadedProgram,
        turn: Turn,
        error: BaseException,
        context: WorkflowContext | None = None,
    ) -> Command | None:
        """What follows from an error of the code of a step: another attempt, or its failure, of which its ``on_failure`` is told.

        Args:
            loaded: What its instance runs.
            turn: The work item.
            error: What the code raised, or what the rules refused to take from it.
            context: The context of the attempt, if there was one.
        """
        token = turn.token
        if token is None:
            return None
        node = loaded.program.graph.nodes[token.node]
        expired, is_final = isinstance(error, StepTimeoutError), getattr(error, "is_final", False)
        retry_s = None
        if node.retry is not None and not (expired and is_final):
            retry_s = node.retry.delay_s(
                failures=token.failures + 1,
                elapsed_s=(turn.now - token.since).total_seconds() if token.since is not None else 0.0,
                errors=names_of(error),
                chance=random.random(),  # noqa: S311 - not a secret
            )
        notes = await self._tell(loaded, turn, token, context, error) if retry_s is None else ()
        return FailStep(
            place=turn.place,
            now=turn.now,
            started_at=turn.at,
            error=error_info(error, token.node, notes),
            outcome=Outcome.TIMEOUT if expired else Outcome.FAILURE,
            attempts=turn.attempt(token),
            retry_s=retry_s,
        )

    async def _expire(self, loaded: LoadedProgram, turn: Turn, token: Token) -> ExpireStep:
        """The time of a step is over, and nobody runs it any more: it is told here."""
        limit_s = loaded.program.graph.nodes[token.node].timeout_s
        error = StepTimeoutError(token.node, f"it took longer than {limit_s} s", True)  # noqa: FBT003 - pickled by position
        notes = await self._tell(loaded, turn, token, None, error)
        return ExpireStep(place=turn.place, now=turn.now, attempts=turn.attempt(token) - 1, notes=notes)

    async def _tell(
        self, loaded: LoadedProgram, turn: Turn, token: Token, context: WorkflowContext | None, error: BaseException
    ) -> tuple[str, ...]:
        """Tell a step that it has failed; what goes wrong with that is noted beside the error.

        Its dependencies are new: those of the attempt have been closed with the error, and what they wrote is undone.
        """
        on_failure = code_of(loaded, token.node).on_failure
        if on_failure is None or token.compensates:
            return ()
        if context is None:
            context = self._contexts.make(loaded, turn.state, turn.item.scope, token)
        try:
            async with loaded.dependencies_of(context.current_step, context):
                await self._calls.call(on_failure, context, error)
        except (Exception, asyncio.CancelledError) as second:  # noqa: BLE001 - recorded beside the first
            raise_if_cancelled(second)
            return (f"on_failure raised {type(second).__name__}: {message_of(second)}",)
        return ()

    def _worker_lost(self, turn: Turn, token: Token) -> FailStep:
        """The code of a step has cost too many workers: it is not begun again."""
        reason = (
            f"{turn.crashes} workers were lost while they ran it; see that it does not exhaust memory or end the process, "
            "then retry the instance"
        )
        return FailStep(
            place=turn.place,
            now=turn.now,
            error=ErrorInfo("WorkerLostError", reason, token.node),
            attempts=turn.attempt(token) - 1,
        )

    async def _run(
        self, loaded: LoadedProgram, turn: Turn, token: Token, holding: Holding, share: Share | None
    ) -> Command | None:
        """Call the code of a step, within its time."""
        node = loaded.program.graph.nodes[token.node]
        limit = TimeLimit(node, turn.item.timeout_s, holding)
        if limit.is_spent:
            return await self._expire(loaded, turn, token)
        context = self._contexts.make(
            loaded,
            turn.state,
            turn.item.scope,
            token,
            attempt=turn.attempt(token),
            limit=limit,
            session=None if share is None else share.session,
        )
        if share is not None:
            share.context = context
        try:
            async with limit:
                if token.node not in loaded.needs:
                    command = await self._command(loaded, turn, token, node, context, holding)
                else:
                    async with loaded.dependencies_of(token.node, context):
                        command = await self._command(loaded, turn, token, node, context, holding)
                if share is not None:
                    await share.settle()
                return command
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - any error of the application fails its step
            raise_if_cancelled(error)
            if share is not None:
                share.undo(error)
            return await self.fail(loaded, turn, error, context)

    async def _command(
        self,
        loaded: LoadedProgram,
        turn: Turn,
        token: Token,
        node: Node,
        context: WorkflowContext,
        holding: Holding,
    ) -> Command:
        code = code_of(loaded, token.node)
        match turn.item.kind:
            case WorkKind.ROUTE:
                outcome = token.outcome or Outcome.SUCCESS
                conditions = await conditions_of(loaded, token.node, outcome, context)
                return RouteStep(place=turn.place, now=turn.now, conditions=conditions, route=())
            case WorkKind.PREPARE:
                answer = await self._calls.call(code.prepare, context, holding=holding) if code.prepare else None
                if answer is Outcome.SKIPPED:
                    return CompleteStep(place=turn.place, now=turn.now, outcome=Outcome.SKIPPED, route=())
                return self._prepared(turn, node, answer)
            case WorkKind.UNDO:
                context.undoing = await self._undoing(turn.state, token)
                outcome, result = Outcome.SUCCESS, None
                if code.compensate is not None:
                    result = await self._calls.call(code.compensate, context, holding=holding)
            case _:
                outcome, result = await self._execute(code, context, holding)
        asks = token.node in loaded.computed_steps and turn.item.kind is WorkKind.RUN
        return CompleteStep(
            place=turn.place,
            now=turn.now,
            started_at=turn.at,
            writes=self._contexts.writes(turn.state, turn.item.scope, context),
            result=None if result is None else encode_value("result", result, self._codec.encode),
            outcome=outcome,
            conditions=await conditions_of(loaded, token.node, outcome, context) if asks else None,
            route=route_of(result) if code.routes else (),
            attempts=turn.attempt(token),
        )

    async def _execute(self, code: StepCode, context: WorkflowContext, holding: Holding) -> tuple[Outcome, Any]:
        call = self._calls.call
        if code.can_execute is not None and not await call(code.can_execute, context, holding=holding):
            return Outcome.SKIPPED, None
        result = None
        if code.execute is not None:
            more = (self._engine,) if code.runs_engine else ()
            is_simple = code.is_async and context.dependencies is None
            result = await (
                code.execute(context, *more) if is_simple else call(code.execute, context, *more, holding=holding)
            )
        if code.on_success is not None:
            await call(code.on_success, context, result, holding=holding)
        return Outcome.SUCCESS, result

    async def _undoing(self, state: InstanceState, token: Token) -> Undoing:
        """What a compensation is to undo, as far as it is known."""
        number = token.compensates
        found = await self._contexts.executions(state.id, after=number - 1, limit=1)
        done = [record.execution for record in found if record.execution.number == number]
        raw = done[0].result if done else None
        result = None if raw is None else self._codec.decode(raw)
        return Undoing(number, f"{state.id}/{number}", result, is_known=bool(done) and done[0].error is None)

    def _prepared(self, turn: Turn, node: Node, answer: Any) -> Prepared:
        place, now = turn.place, turn.now
        match node.kind:
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
                raise InvalidTransitionError(node.name, reason)
