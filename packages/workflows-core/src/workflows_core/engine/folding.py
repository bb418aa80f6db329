"""Folding: commands for an instance whose transition is under way wait for it, and are then written together, as one transition.

They are decided one after the other, each on what the one before leads to. Without it all but one of the branches that finish at once would lose the race for the revision, read the instance again and decide anew.
Nothing that is guaranteed rests on folding: what cannot be written together is written singly, and whoever is refused decides anew on
what is stored, with the results in hand.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from workflows_core.domain.state import InstanceState
from workflows_core.domain.transition import Transition
from workflows_core.engine.folds import Decision, Fold, Line
from workflows_core.errors import ItemsNotLoadedError
from workflows_core.ports.store import Committed, Conflict, Held, LeaseLost, WriteResult

__all__ = ["Decision", "Folding"]


class _Write(Protocol):
    async def __call__(
        self, transition: Transition, holds: tuple[Held, ...], take: tuple[int, ...], lease_s: float, /
    ) -> WriteResult: ...


class _PassOn(Protocol):
    async def __call__(self, transition: Transition, result: Committed, taken: tuple[int, ...], /) -> None: ...


class _Waiting(NamedTuple):
    decision: Decision
    result: asyncio.Future[WriteResult]


class _Open(NamedTuple):
    """An instance of which something is being written."""

    line: Line
    waiting: deque[_Waiting]


class Folding:
    """Commits decisions. Those of one instance follow each other; whoever comes while one is being written waits and is folded.

    Args:
        write: Commits a transition.
        pass_on: Tells others of a transition that is durable; may take its time, and may send commands for the same instance.
    """

    def __init__(self, write: _Write, pass_on: _PassOn) -> None:
        self._write = write
        self._pass_on = pass_on
        self._open: dict[UUID, _Open] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def commit(self, decision: Decision) -> WriteResult:
        """Commit a decision; see `Commits.decide`."""
        instance_id = decision.seen.id
        known = self._open.get(instance_id)
        if known is not None:
            result: asyncio.Future[WriteResult] = asyncio.get_running_loop().create_future()
            known.waiting.append(_Waiting(decision, result))
            return await result
        opened = self._open[instance_id] = _Open(Line(decision.transition.base_revision), deque())
        holds = () if decision.held is None else (decision.held,)
        after: InstanceState | None = None
        try:
            written = await self._write(decision.transition, holds, decision.take, decision.lease_s)
            if isinstance(written, Committed):
                opened.line.note(decision.transition)
                after = decision.transition.state
        finally:
            if opened.waiting:
                self._spawn(self._drain(instance_id, opened, after))
            else:
                del self._open[instance_id]
        if isinstance(written, Committed):
            await self._pass_on(decision.transition, written, decision.take)
        return written

    async def _drain(self, instance_id: UUID, opened: _Open, state: InstanceState | None) -> None:
        """Write what waits, until nothing does.

        Args:
            instance_id: The instance.
            opened: What waits for it.
            state: What is stored; None where that is not known, so that everybody has to look.
        """
        try:
            while opened.waiting:
                if state is None:
                    _tell(opened.waiting, Conflict())
                    return
                state = await self._write_some(opened, state)
        finally:
            del self._open[instance_id]

    async def _write_some(self, opened: _Open, state: InstanceState) -> InstanceState | None:
        """Write as many of those that wait as go together; the state afterwards, None if it is not known."""
        fold, members = Fold(state), list[_Waiting]()
        while opened.waiting:
            waiting = opened.waiting[0]
            if not waiting.result.done():
                if not self._decide(waiting, fold.state, opened.line):
                    opened.waiting.popleft()
                    continue
                if not fold.takes(waiting.decision):
                    break
                fold.add(waiting.decision)
                members.append(waiting)
            opened.waiting.popleft()
        if not members:
            return state
        return await self._write_fold(opened.line, state, fold, members)

    def _decide(self, waiting: _Waiting, state: InstanceState, line: Line) -> bool:
        """Decide for one that waits; where that fails, the sender is told and False given."""
        decision = waiting.decision
        joined = line.joined(state, decision.seen)
        if joined is None:
            waiting.result.set_result(Conflict())
            return False
        try:
            decision.decide(joined)
        except ItemsNotLoadedError:
            waiting.result.set_result(Conflict())
        except Exception as error:  # noqa: BLE001 - the answer to the sender
            waiting.result.set_exception(error)
        else:
            return True
        return False

    async def _write_fold(
        self, line: Line, state: InstanceState, fold: Fold, members: Sequence[_Waiting]
    ) -> InstanceState | None:
        transition, take = fold.transition(), tuple(fold.take)
        lease_s = max(member.decision.lease_s for member in members)
        try:
            written = await self._write(transition, tuple(fold.holds), take, lease_s)
        except Exception as error:  # noqa: BLE001 - each sender is told
            for member in members:
                if not member.result.done():
                    member.result.set_exception(error)
            return None
        if isinstance(written, LeaseLost) and len(members) > 1:
            return await self._write_singly(line, state, members)
        for member in members:
            if isinstance(written, Committed):
                member.decision.transition = transition
            _tell((member,), written)
        if isinstance(written, Committed):
            line.note(transition)
            self._spawn(self._pass_on(transition, written, take))
            return transition.state
        return state if isinstance(written, LeaseLost) else None

    async def _write_singly(
        self, line: Line, state: InstanceState, members: Sequence[_Waiting]
    ) -> InstanceState | None:
        """One of several has lost its lease: find out which, and let it harm nobody else."""
        current: InstanceState | None = state
        for member in members:
            if current is None:
                _tell((member,), Conflict())
            elif not member.result.done() and self._decide(member, current, line):
                fold = Fold(current)
                fold.add(member.decision)
                current = await self._write_fold(line, current, fold, (member,))
        return current

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _tell(members: Sequence[_Waiting] | deque[_Waiting], result: WriteResult) -> None:
    """Give each its own part of a result."""
    for decision, future in members:
        if future.done():
            continue
        if isinstance(result, Committed):
            fences = {number: result.fences[number] for number in decision.take if number in result.fences}
            future.set_result(Committed(result.at, fences))
        else:
            future.set_result(result)
