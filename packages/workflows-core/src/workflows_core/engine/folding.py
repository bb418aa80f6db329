"""Folding: commands for an instance of which something is being written wait, and are written together.

They are decided one after the other on what is being written, as soon as that is durable, and become one transition; not before, as what
is decided on an older state is of no use. Without folding all but one of the branches that finish at once would lose the race for the
revision, read the instance again and decide anew. Nothing that is guaranteed rests on folding: what cannot be written together is written
singly, and whoever is refused decides anew on what is stored, with the results in hand.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from workflows_core.domain.state import InstanceState
from workflows_core.domain.transition import Transition
from workflows_core.engine.folds import Decision, Fold, Line
from workflows_core.engine.recent import Recent
from workflows_core.ports.store import Committed, Conflict, Held, LeaseLost, WriteResult

__all__ = ["Decision", "Folding"]


class _Write(Protocol):
    async def __call__(
        self, transition: Transition, holds: tuple[Held, ...], take: tuple[int, ...], lease_s: float, worker: str, /
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
    """Decides and commits. What concerns one instance follows each other; whoever comes while one is being written waits and is folded.

    Args:
        write: Commits a transition.
        pass_on: Tells others of a transition that is durable; may take its time, and may send commands for the same instance.
    """

    def __init__(self, write: _Write, pass_on: _PassOn) -> None:
        self._write = write
        self._pass_on = pass_on
        self._open: dict[UUID, _Open] = {}
        self._recent = Recent()
        self._tasks: set[asyncio.Task[None]] = set()

    async def commit(self, decision: Decision) -> WriteResult:
        """Decide and commit; see `Commits.decide`."""
        instance_id = decision.seen.id
        known = self._open.get(instance_id)
        if known is not None:
            result: asyncio.Future[WriteResult] = asyncio.get_running_loop().create_future()
            known.waiting.append(_Waiting(decision, result))
            return await result
        newest = self._recent.take(decision.seen)
        if newest is None:
            return Conflict()
        decision.decide(newest.state)
        opened = self._open[instance_id] = _Open(newest.line, deque())
        holds = () if decision.held is None else (decision.held,)
        after: InstanceState | None = None
        try:
            written = await self._write(decision.transition, holds, decision.take, decision.lease_s, decision.worker)
            if isinstance(written, Committed):
                opened.line.note(decision.transition)
                after = decision.transition.state
        finally:
            if opened.waiting:
                self._spawn(self._drain(instance_id, opened, after))
            else:
                self._close(instance_id, opened, after)
        if isinstance(written, Committed):
            await self._pass_on(decision.transition, written, decision.take)
        return written

    def forget(self) -> None:
        """Forget what was written last: the store was away, and what comes back may not have it."""
        self._recent.clear()

    async def finish(self) -> None:
        """Wait until what is under way is written, and everybody told of it."""
        while self._tasks:
            await asyncio.wait(self._tasks)

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
                    return
                state = await self._write_some(opened, state)
        finally:
            _tell(opened.waiting, Conflict())
            self._close(instance_id, opened, state)

    def _close(self, instance_id: UUID, opened: _Open, state: InstanceState | None) -> None:
        del self._open[instance_id]
        if state is not None:
            self._recent.keep(state, opened.line)

    async def _write_some(self, opened: _Open, state: InstanceState) -> InstanceState | None:
        """Write as many of those that wait as go together; the state afterwards, None if it is not known."""
        fold, group = Fold(state), _Group()
        while opened.waiting:
            waiting = opened.waiting[0]
            if not waiting.result.done():
                answer = _decide(waiting.decision, fold, opened.line)
                if answer is not None:
                    group.answered.append((waiting, answer))
                elif fold.takes(waiting.decision):
                    fold.add(waiting.decision)
                    group.members.append(waiting)
                else:
                    break
                group.all.append(waiting)
            opened.waiting.popleft()
        return await self._write_fold(opened.line, state, fold, group)

    async def _write_fold(self, line: Line, state: InstanceState, fold: Fold, group: _Group) -> InstanceState | None:
        if not group.members:
            group.tell_answers()
            return state
        transition, take = fold.transition(), tuple(fold.take)
        lease_s = max(member.decision.lease_s for member in group.members)
        try:
            written = await self._write(transition, tuple(fold.holds), take, lease_s, fold.worker)
        except Exception as error:  # noqa: BLE001 - each sender is told
            _tell(group.all, error)
            return None
        match written:
            case Committed():
                line.note(transition)
                for member in group.members:
                    member.decision.transition = transition
                _tell(group.members, written)
                group.tell_answers()
                self._spawn(self._pass_on(transition, written, take))
                return transition.state
            case LeaseLost() if len(group.all) > 1:
                return await self._write_singly(line, state, group.all)
            case LeaseLost():
                _tell(group.all, written)
                return state
            case _:
                _tell(group.all, Conflict())
                return None

    async def _write_singly(
        self, line: Line, state: InstanceState, waiting: Sequence[_Waiting]
    ) -> InstanceState | None:
        """One of several has lost its lease: find out which, and let it harm nobody else."""
        current: InstanceState | None = state
        for one in waiting:
            if current is None:
                _tell((one,), Conflict())
            elif not one.result.done():
                fold, group = Fold(current), _Group()
                group.all.append(one)
                answer = _decide(one.decision, fold, line)
                if answer is None:
                    fold.add(one.decision)
                    group.members.append(one)
                else:
                    group.answered.append((one, answer))
                current = await self._write_fold(line, current, fold, group)
        return current

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Group:
    """Those whose answer depends on one write.

    Attributes:
        all: All of them, in order.
        members: Those who are written.
        answered: Those who are not, with their answer; it is good only if what the others did before them is written.
    """

    __slots__ = ("all", "answered", "members")

    def __init__(self) -> None:
        self.all: list[_Waiting] = []
        self.members: list[_Waiting] = []
        self.answered: list[tuple[_Waiting, Conflict | Exception]] = []

    def tell_answers(self) -> None:
        for waiting, answer in self.answered:
            _tell((waiting,), answer)


def _decide(decision: Decision, fold: Fold, line: Line) -> Conflict | Exception | None:
    """Decide for one that waits; the answer if that fails."""
    joined = line.joined(fold.state, decision.seen, besides=fold.items)
    if joined is None:
        return Conflict()
    try:
        decision.decide(joined)
    except Exception as error:  # noqa: BLE001 - told to the sender
        return error
    return None


def _tell(waiting: Iterable[_Waiting], answer: WriteResult | Exception) -> None:
    """Give each the own part of an answer."""
    for decision, future in waiting:
        if future.done():
            continue
        if isinstance(answer, Exception):
            future.set_exception(answer)
        elif isinstance(answer, Committed):
            fences = {number: answer.fences[number] for number in decision.take if number in answer.fences}
            future.set_result(Committed(answer.at, fences))
        else:
            future.set_result(answer)
