"""Runs claimed work: the application's code, then the transition that follows from it, then the next step in place."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from msgspec.structs import replace

from workflows_core.authoring.context import WorkflowContext
from workflows_core.domain.commands import Command
from workflows_core.domain.graph import MachineNode
from workflows_core.domain.transition import WorkItem, WorkKind
from workflows_core.engine.attempts import Attempts, Turn
from workflows_core.engine.commits import Commits
from workflows_core.engine.decisions import StepDecision
from workflows_core.engine.holding import Holding
from workflows_core.engine.joining import CommitsTransitions, JoinedCommits
from workflows_core.engine.programs import LoadedProgram, Programs
from workflows_core.engine.rereading import Rereading, reread
from workflows_core.engine.settings import EngineSettings
from workflows_core.engine.sharing import SharedTransactions
from workflows_core.errors import (
    ItemsNotLoadedError,
    PayloadError,
    ReducerError,
    StaleExecutionError,
    StateError,
)
from workflows_core.ports.executor import WorkRef
from workflows_core.ports.store import Claim, ClaimRequest, Committed, Conflict, Held, WorkflowStore, WriteResult

__all__ = ["StepRunner"]

logger = logging.getLogger(__name__)


class StepRunner:
    """Runs work items that were claimed by one worker."""

    def __init__(
        self,
        *,
        store: WorkflowStore,
        commits: Commits,
        programs: Programs,
        attempts: Attempts,
        shared: SharedTransactions,
        settings: EngineSettings,
    ) -> None:
        self._store = store
        self._commits = commits
        self._programs = programs
        self._attempts = attempts
        self._shared = shared
        self._settings = settings
        self._rereading = Rereading(store)

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
        clock = asyncio.get_running_loop().time
        turn: Turn | None = Turn(claim.item, claim.state, claim.fence, claim.attempt, claim.at, claim.crashes)
        loaded = await self._programs.of(claim.state)
        if not loaded.can_run(claim.item):
            await self._store.release(worker, [claim.lease], untouched=True)
            return False
        steps, deadline = 1, clock() + settings.max_seconds_in_a_row
        while turn is not None:
            may_go_on = steps < settings.max_steps_in_a_row and clock() < deadline and not holding.is_busy
            admitted = admits if may_go_on else _admits_nothing
            if _is_transactional(loaded, turn.item):
                turn = await self._share(loaded, turn, worker, admitted, holding)
            else:
                command = await self._attempts.do(loaded, turn, holding)
                turn = await self._advance(loaded, turn, command, worker, admitted, holding)
            steps += 1
            if turn is not None:
                holding.go_on(turn.item, turn.fence)
                if not holding.may_begin():
                    await self._store.release(worker, [holding.lease], untouched=True)
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
        turn: Turn,
        worker: str,
        admits: Callable[[WorkItem], bool] | None,
        holding: Holding,
    ) -> Turn | None:
        """Run a transactional step and commit what follows from it, in one transaction."""

        async def fail(error: BaseException, context: WorkflowContext | None) -> Command | None:
            holding.begin()
            return await self._attempts.fail(loaded, turn, error, context)

        return await self._shared.run(
            turn.item.step,
            work=lambda share: self._attempts.do(loaded, turn, holding, share),
            fail=fail,
            advance=lambda command, inside: self._advance(loaded, turn, command, worker, admits, holding, inside),
        )

    # The transition that follows

    async def _advance(
        self,
        loaded: LoadedProgram,
        turn: Turn,
        command: Command | None,
        worker: str,
        admits: Callable[[WorkItem], bool] | None,
        holding: Holding,
        inside: JoinedCommits | None = None,
    ) -> Turn | None:
        """Commit what follows from a command, also inside a transaction; the next turn if the worker goes on in place."""
        if command is None:
            return None
        holding.record()
        decision = StepDecision(
            loaded,
            command,
            number=turn.item.number,
            seen=turn.state,
            held=Held(turn.item.number, turn.fence, worker),
            lease_s=self._settings.lease_s,
            holding=holding,
            admits=admits,
            max_bytes=self._settings.max_data_bytes,
        )
        try:
            result = await self._commit(loaded, turn, decision, holding, inside)
        except StateError as error:
            logger.info("result of %s dropped: %s", turn.item.step, error)
            return None
        if not isinstance(result, Committed):
            logger.info("result of %s dropped: the lease was lost", turn.item.step)
            return None
        ends = decision.transition.state.status.is_final and loaded.program.graph.concurrency is not None
        if (turn.item.slot is not None or ends) and inside is None:
            await self._commits.tell_freed(turn.state.id, turn.item)
        following = decision.following
        if following is None or following.number not in result.fences:
            return None  # or it was taken, and is not held as it was taken any more
        item = _with_what_is_left(following, turn.item, result.at - turn.at)
        return Turn(item, decision.transition.state, result.fences[following.number], 1, result.at)

    async def _commit(
        self,
        loaded: LoadedProgram,
        turn: Turn,
        decision: StepDecision,
        holding: Holding,
        inside: JoinedCommits | None,
    ) -> WriteResult:
        """Decide and commit; where somebody else was first, read what is stored and decide anew, with the same result in hand.

        Raises:
            StateError: The result can no longer be recorded.
        """
        commits: CommitsTransitions = self._commits if inside is None else inside
        read = self._rereading.read if inside is None else partial(reread, inside.store)
        refused = all_items = False
        while True:
            try:
                result = await commits.decide(decision)
            except ItemsNotLoadedError:
                all_items = True
            except (ReducerError, PayloadError) as error:
                if refused or inside is not None:
                    raise
                # The rules do not take what the step did, so it has failed.
                holding.begin()
                failure, refused = await self._attempts.fail(loaded, turn, error), True
                holding.record()
                if failure is None:
                    raise StaleExecutionError(turn.state.id, turn.item.step, turn.item.execution) from error
                decision.command = failure
                continue
            else:
                if not isinstance(result, Conflict):
                    return result
            decision.seen = await read(turn.state.id, scopes=(turn.item.scope,), all_items=all_items)


def _is_transactional(loaded: LoadedProgram, item: WorkItem) -> bool:
    if item.kind is not WorkKind.RUN:
        return False
    node = loaded.program.graph.nodes.get(item.step)
    return node is not None and isinstance(node.kind, MachineNode) and node.kind.transactional


def _with_what_is_left(item: WorkItem, before: WorkItem, passed: timedelta) -> WorkItem:
    """What is gone on with, with what is left of its time: if it keeps the limit that it had, some of that is spent."""
    if not item.keeps_timeout:
        return item
    known_s = before.timeout_s if item.number == before.number else None
    return replace(item, timeout_s=None if known_s is None else known_s - passed.total_seconds())


def _admits_nothing(_item: WorkItem) -> bool:
    return False
