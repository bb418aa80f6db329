"""A worker: claims due work from the store, runs it, and stops in good order."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import zip_longest
from typing import Any, Final

from workflows_core.domain.transition import WorkItem, WorkKind
from workflows_core.engine.admission import Admission
from workflows_core.engine.answers import Answers, Asked
from workflows_core.engine.engine import WorkflowEngine
from workflows_core.engine.heartbeat import Heartbeat, Known
from workflows_core.engine.holding import Holding
from workflows_core.engine.leftovers import Leftovers
from workflows_core.engine.loop_thread import LoopThread
from workflows_core.engine.pace import Pace
from workflows_core.engine.seats import Seat, Slot
from workflows_core.engine.worker_ids import new_worker_id
from workflows_core.errors import InfrastructureError, WorkflowsError
from workflows_core.ports.executor import WorkRef
from workflows_core.ports.leases import Lease
from workflows_core.ports.store import Claim, ClaimRequest
from workflows_core.ports.wake_ups import WakeUps

__all__ = ["Worker"]

logger = logging.getLogger(__name__)

_LOOK_AGAIN_S: Final = 0.02
"""Seconds between a look that found all that is due and the next one, unless a hint comes."""
_AT_ONCE: Final = -math.inf
_ROUNDING_S: Final = 1e-6
"""A sleep may end so much early, by rounding; where time passes only by sleeping, the rest would never pass."""
_SPREAD_S: Final = 0.01
"""Workers that wait for the same moment come one after the other, at most so many seconds late."""


class Worker:
    """Runs the work of an engine in this process, until it is stopped.

    Several workers, in one process or in many, share the work of one store. There is no leader: each looks for whatever is due, work
    whose lease has ended and timers included, takes what it has room for, and leaves the rest to others.
    """

    def __init__(
        self,
        engine: WorkflowEngine,
        *,
        concurrency: int = 32,
        queues: frozenset[str] | None = None,
        heartbeat_thread: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make a worker; `run` starts it.

        Args:
            engine: Whose work it does.
            concurrency: Most steps at once, at least 1.
            queues: Queues that it serves; None serves all.
            heartbeat_thread: Leases are renewed in a thread of its own. Without it they are renewed in the event loop of the steps,
                through the store's own connections; for tests whose event loop has a time of its own.
            clock: Seconds that pass for this process; leases are counted by it.
        """
        self.id = new_worker_id()
        self._engine = engine
        self._lease_s = engine.settings.lease_s
        self._poll_s = engine.settings.poll_s
        self._heartbeat_thread = heartbeat_thread
        self._clock = clock
        self._admission = Admission(slots=max(concurrency, 1), queues=queues, codes=engine.codes, clock=clock)
        self._pace = Pace(self._poll_s)
        self._hints = engine.executor if isinstance(engine.executor, WakeUps) else None
        self._running: dict[asyncio.Task[None], Holding] = {}
        self._lingering: set[Holding] = set()
        self._awake = asyncio.Event()
        self._answers = Answers()
        self._looks_at = _AT_ONCE
        self._left_some = False
        self._leftovers = Leftovers()
        self._is_claiming = False
        self._seats: set[Slot] = set()
        self._drain_s: float | None = None

    @property
    def queues(self) -> frozenset[str] | None:
        """Queues that it serves; None if it serves all."""
        return self._admission.queues

    @property
    def running(self) -> int:
        """How many steps are under way."""
        return len(self._running)

    @property
    def taken(self) -> int:
        """Slots in use: by steps under way, by starts, and by code in threads that nobody waits for any more."""
        self._lingering = {holding for holding in self._lingering if holding.is_busy}
        return len(self._running) + len(self._lingering) + len(self._seats)

    def wake(self) -> None:
        """Look for work now. Must be called in the worker's event loop."""
        self._looks_at = _AT_ONCE
        self._awake.set()

    async def answer(self, queue: str, *, within_s: float = 30.0) -> bool:
        """Do one piece of due work of a queue, as a task queue asks that has delivered a hint to this process.

        Which piece it is the store decides, not the hint: the most urgent that nobody has. Hints that come at once are answered with one
        claim. It returns when the work has begun if there is room for more, else when the work is done: so the task queue delivers as
        many hints to this process as it has slots, and keeps the others for those that are less busy. Must be called in the worker's
        event loop while it runs; whoever gives up waiting stops nothing.

        Args:
            queue: The queue.
            within_s: Seconds after which this returns in any case, so that the task queue does not take its message for lost.

        Returns:
            Whether there was work.
        """
        if not self._admission.is_open or not self._admission.serves(queue):
            return False
        asked = self._answers.ask(queue)
        self._awake.set()
        try:
            async with asyncio.timeout(within_s):
                return await asked.answer
        except TimeoutError:
            return asked.is_begun

    async def run(self) -> None:
        """Claim and run work until `stop` is called; errors of the store are logged and outlasted."""
        loop = asyncio.get_running_loop()
        stop_heartbeat = self._start_heartbeat(loop)
        unsubscribe = self._hints.subscribe(self.wake, queues=self.queues) if self._hints is not None else None
        offer_no_more = self._engine.seats.add(partial(self._offer, loop))
        try:
            while self._admission.is_open:
                await self._rest(await self._look())
            offer_no_more()
            await self._seats_empty()
            if self._running:
                await asyncio.wait(self._running)
            with suppress(InfrastructureError):
                await self._give_back(delay_s=0.0)
        finally:
            offer_no_more()
            if unsubscribe is not None:
                unsubscribe()
            try:
                await self._abandon()
            finally:
                await stop_heartbeat()

    async def stop(self, *, drain_s: float | None = None) -> None:
        """Stop claiming; `run` returns when the steps under way have finished.

        Args:
            drain_s: Seconds after which steps still under way are cancelled and given back, and starts are waited for no more; None
                waits for all.
        """
        self._drain_s = drain_s
        self._admission.close()
        self._answers.refuse_all()
        self._awake.set()
        if drain_s is not None and self._running:
            await asyncio.wait(self._running, timeout=drain_s)
            self._cancel_all()

    # Looking for work

    async def _look(self) -> float:
        """Claim what hints ask for and, if it is time, whatever else fits; the seconds until it is worth to look again."""
        self._awake.clear()
        try:
            await self._give_back(delay_s=self._poll_s)
            if asked := self._answers.waiting():
                await self._claim_for_hints(asked)
            if self._clock() >= self._looks_at - _ROUNDING_S:
                self._looks_at = math.inf
                pause_s = await self._claim()
                self._looks_at = min(self._looks_at, self._clock() + pause_s)  # less, if woken meanwhile
            return max(self._looks_at - self._clock(), 0.0)
        except InfrastructureError as error:
            logger.warning("worker %s cannot look for work: %s", self.id, error)
        except Exception:
            logger.exception("worker %s cannot look for work", self.id)
        finally:
            self._is_claiming = False
        self._looks_at = _AT_ONCE
        return self._poll_s

    async def _claim_for_hints(self, asked: list[Asked]) -> None:
        """Claim a piece of work for each hint; those for which there is none are told so, those without a slot go on waiting."""
        queues = frozenset(one.queue for one in asked)
        wanted = self._admission.request(self.id, self._lease_s, taken=self.taken, most=len(asked), queues=queues)
        if wanted is None:
            self._left_some = True
            return
        self._left_some |= wanted.limit < len(asked)
        begun = await self._take(wanted)
        has_room = self._admission.has_room(self.taken)
        for one, work in zip_longest(asked[: wanted.limit], begun):
            one.follow(work, is_awaited=not has_room)

    async def _claim(self) -> float:
        wanted = self._admission.request(self.id, self._lease_s, taken=self.taken)
        if wanted is None:
            self._left_some = True
            return self._poll_s
        begun = await self._take(wanted)
        self._left_some = len(begun) == wanted.limit
        if self._left_some:
            self._pace.found()
            return 0.0 if self._admission.has_room(self.taken) else self._poll_s
        if begun:
            # The steps that begin now need the store first; what is due later is asked for when nothing is due.
            self._pace.found()
            return _LOOK_AGAIN_S
        due = await self._engine.store.next_due(queues=wanted.queues, codes=wanted.codes, without=wanted.without)
        proven = self._hints is not None and self._hints.is_proven
        pause_s = self._pace.pause_s(proven=proven, expected=self._hints is not None)
        if due is None or due > pause_s:
            return pause_s
        return max(due, 0.001) + random.uniform(0, _SPREAD_S)  # noqa: S311 - not a secret

    async def _take(self, wanted: ClaimRequest) -> list[asyncio.Task[None] | None]:
        """Claim work and begin it: a task for each piece, None for one for which it is too late."""
        self._is_claiming = True
        sent = self._clock()
        claims = await self._engine.store.claim(wanted)
        begun = [self._begin(claim, sent) for claim in claims]
        self._is_claiming = False
        return begun

    def _offer(self, loop: asyncio.AbstractEventLoop, item: WorkItem) -> Seat | None:
        """Keep a slot for a step that is about to be written: if all that is due has one, and the step would be taken."""
        if self._left_some or asyncio.get_running_loop() is not loop or not self._admission.admits(item):
            return None
        if not self._admission.has_room(self.taken):
            return None
        slot = Slot(self.id, self._lease_s, self._clock(), self._begin, self._unseat)
        self._seats.add(slot)
        return slot

    async def _seats_empty(self) -> None:
        """Wait until every start for which a slot was kept has ended, or until the time of the drain is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._drain_s):
                while self._seats:
                    self._awake.clear()
                    await self._awake.wait()
        self._seats.clear()

    def _unseat(self, slot: Slot) -> None:
        self._seats.discard(slot)
        if not self._admission.is_open:
            self._awake.set()

    async def _rest(self, seconds: float) -> None:
        """Sleep until woken, or until the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._awake.wait()

    # Running it

    def _begin(self, claim: Claim, sent: float) -> asyncio.Task[None] | None:
        """Run a claim, unless it is too late for that, or it is suspected of killing its workers and another suspect runs.

        Steps that run beside one that kills its worker cost as many workers as it does. Before their last chance is used up they run one
        after the other, so that the next crash tells which of them it was.
        """
        holding = Holding(claim, sent=sent, lease_s=self._lease_s, clock=self._clock)
        self._leftovers.note_claim(claim.ref)
        if not self._admission.is_open or not holding.may_begin():
            self._leftovers.untouched.add(claim.lease)
            return None
        if claim.item.kind is WorkKind.EXPIRE:
            self._stop_others(claim.ref)
        elif self._is_suspect(holding) and any(map(self._is_suspect, self._running.values())):
            self._leftovers.postponed.add(claim.lease)
            return None
        task = asyncio.create_task(self._run_claim(claim, holding))
        self._running[task] = holding
        task.add_done_callback(self._finished)
        return task

    def _is_suspect(self, holding: Holding) -> bool:
        return self._engine.settings.is_last_chance(holding.crashes)

    def _stop_others(self, ref: WorkRef) -> None:
        """Stop the step whose time is over, if it is under way here."""
        for task, holding in tuple(self._running.items()):
            if ref in holding.refs:
                self._cancel(task, holding)

    def _finished(self, task: asyncio.Task[None]) -> None:
        holding = self._running.pop(task, None)
        if holding is not None and holding.is_busy:
            self._lingering.add(holding)
        if self._left_some:
            self.wake()

    async def _run_claim(self, claim: Claim, holding: Holding) -> None:
        try:
            if not await self._engine.run_claim(claim, worker=self.id, holding=holding, admits=self._admission.admits):
                self._admission.note_lack(claim.state, claim.item)
        except asyncio.CancelledError:
            self._leftovers.leave(holding)
            with suppress(InfrastructureError):
                await self._give_back(delay_s=0.0)
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the work item is not finished
            tell = logger.warning if isinstance(error, WorkflowsError) else logger.exception
            tell("work item %s was not finished and will be claimed again: %s", holding.ref, error)
            self._leftovers.leave(holding)

    def _cancel(self, task: asyncio.Task[None], holding: Holding) -> None:
        holding.ask_to_stop()
        task.cancel()

    def _cancel_all(self) -> None:
        for task, holding in tuple(self._running.items()):
            self._cancel(task, holding)

    async def _abandon(self) -> None:
        """Cancel what still runs; each step gives its work back."""
        tasks = tuple(self._running)
        self._cancel_all()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _give_back(self, *, delay_s: float) -> None:
        """Give back work that was not finished or not begun; see `Leftovers.give_back`."""
        await self._leftovers.give_back(self._engine.store, self.id, lease_s=self._lease_s, delay_s=delay_s)

    # Leases

    def _start_heartbeat(self, loop: asyncio.AbstractEventLoop) -> Callable[[], Any]:
        """Begin to keep the leases; returns what ends it."""

        def tell(function: Callable[..., None], *arguments: Any) -> None:
            with suppress(RuntimeError):  # the loop of the steps is closed: nothing runs any more
                loop.call_soon_threadsafe(function, *arguments)

        heartbeat = Heartbeat(
            self.id,
            lease_s=self._lease_s,
            holdings=lambda: tuple(self._running.copy().values()),
            has_more=lambda: bool(self._leftovers),
            renewed=lambda held, known: tell(self._renewed, held, known),
            lapsed=lambda holding: tell(self._lapsed, holding),
            clock=self._clock,
        )
        if self._heartbeat_thread:
            return LoopThread(f"workflows-heartbeat-{self.id}", lambda: self._keep_leases(heartbeat)).stop
        task = loop.create_task(heartbeat.run(self._engine.store.renew))

        async def stop() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        return stop

    async def _keep_leases(self, heartbeat: Heartbeat) -> None:
        keeper = self._engine.store.lease_keeper()
        try:
            await heartbeat.run(keeper.renew)
        finally:
            await keeper.close()

    def _renewed(self, held: set[Lease], known: Known) -> None:
        """Stop the steps whose lease was lost, and see to what the store holds for nobody."""
        for task, holding in tuple(self._running.items()):
            if holding.is_recording or holding.stops() or known.get(holding) != holding.lease:
                continue
            if holding.lease not in held:
                logger.warning("worker %s has lost the lease of work item %s and stops it", self.id, holding.ref)
                self._cancel(task, holding)
        expected = {lease.ref for lease in known.values()}.union(*(holding.refs for holding in self._running.values()))
        strays = {lease for lease in held if lease.ref not in expected}
        self._leftovers.note_strays(strays, expects_more=self._is_claiming or bool(self._seats))
        if self._leftovers:
            self._awake.set()  # it is given back at the next look

    def _lapsed(self, holding: Holding) -> None:
        for task, running in tuple(self._running.items()):
            if running is holding and not holding.is_recording:
                logger.warning("the lease of %s has ended without a renewal; worker %s stops it", holding.ref, self.id)
                self._cancel(task, holding)
