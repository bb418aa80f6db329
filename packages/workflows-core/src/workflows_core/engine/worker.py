"""A worker: claims due work from the store, runs it, keeps its leases, and stops in good order."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
from contextlib import suppress
from typing import Final

from workflows_core.domain.transition import WorkItem
from workflows_core.engine.engine import WorkflowEngine
from workflows_core.engine.holding import Holding
from workflows_core.errors import InfrastructureError, WorkflowsError
from workflows_core.ports.executor import WorkRef
from workflows_core.ports.store import Claim, ClaimRequest

__all__ = ["Worker"]

logger = logging.getLogger(__name__)

_RENEWALS_PER_LEASE: Final = 3


def _new_worker_id() -> str:
    """Unique for each start of a worker, so that a restarted process is never taken for the one before."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(6)}"


class Worker:
    """Runs the work of an engine in this process, until it is stopped.

    Several workers, in one process or in many, share the work of one store.
    """

    def __init__(self, engine: WorkflowEngine, *, concurrency: int = 32, queues: frozenset[str] | None = None) -> None:
        """Make a worker; `run` starts it.

        Args:
            engine: Whose work it does.
            concurrency: Most steps at once, at least 1.
            queues: Queues that it serves; None serves all.
        """
        self.id = _new_worker_id()
        self._engine = engine
        self._concurrency = max(concurrency, 1)
        self._queues = queues
        self._running: dict[asyncio.Task[None], Holding] = {}
        self._awake = asyncio.Event()
        self._stopping = False
        self._left_some = False
        self._unfinished: set[WorkRef] = set()
        self._is_claiming = False
        self._strays: set[WorkRef] = set()

    def wake(self) -> None:
        """Look for work now. Must be called in the worker's event loop."""
        self._awake.set()

    async def run(self) -> None:
        """Claim and run work until `stop` is called; errors of the store are logged and outlasted."""
        heartbeat = asyncio.create_task(self._keep_leases())
        try:
            while not self._stopping:
                await self._rest(await self._look())
            if self._running:
                await asyncio.wait(self._running)
            with suppress(InfrastructureError):
                await self._give_back(delay_s=0.0)
        finally:
            heartbeat.cancel()
            await self._abandon()

    async def stop(self, *, drain_s: float | None = None) -> None:
        """Stop claiming; `run` returns when the steps under way have finished.

        Args:
            drain_s: Seconds after which steps still under way are cancelled and given back; None waits for all.
        """
        self._stopping = True
        self._awake.set()
        if drain_s is not None and self._running:
            await asyncio.wait(self._running, timeout=drain_s)
            self._cancel_all()

    async def _look(self) -> float:
        """Claim what fits; the seconds until it is worth to look again."""
        self._awake.clear()
        free = self._concurrency - len(self._running)
        poll_s = self._engine.settings.poll_s
        if free <= 0:
            self._left_some = True
            return poll_s
        codes = self._engine.codes()
        try:
            await self._give_back(delay_s=poll_s)
            self._is_claiming = True
            claims = await self._engine.store.claim(
                ClaimRequest(
                    worker=self.id,
                    limit=free,
                    lease_s=self._engine.settings.lease_s,
                    queues=self._queues,
                    codes=codes,
                )
            )
            if self._stopping:
                self._unfinished.update(claim.ref for claim in claims)
                return poll_s
            for claim in claims:
                self._begin(claim)
            self._is_claiming = False
            self._left_some = len(claims) == free
            if self._left_some:
                return poll_s
            due = await self._engine.store.next_due(queues=self._queues, codes=codes)
        except InfrastructureError as error:
            logger.warning("worker %s cannot look for work: %s", self.id, error)
            return poll_s
        except Exception:
            logger.exception("worker %s cannot look for work", self.id)
            return poll_s
        finally:
            self._is_claiming = False
        return poll_s if due is None else max(min(due, poll_s), 0.001)

    async def _rest(self, seconds: float) -> None:
        """Sleep until woken, or until the time is over."""
        try:
            async with asyncio.timeout(seconds):
                await self._awake.wait()
        except TimeoutError:
            return

    def _begin(self, claim: Claim) -> None:
        holding = Holding(claim)
        task = asyncio.create_task(self._run_claim(claim, holding))
        self._running[task] = holding
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        if self._left_some:
            self._awake.set()

    async def _run_claim(self, claim: Claim, holding: Holding) -> None:
        try:
            await self._engine.run_claim(claim, worker=self.id, holding=holding, admits=self._admits)
        except asyncio.CancelledError:
            self._unfinished |= holding.refs
            with suppress(InfrastructureError):
                await self._give_back(delay_s=0.0)
            raise
        except WorkflowsError as error:
            logger.warning("work item %s was not finished and will be claimed again: %s", holding.ref, error)
            self._unfinished |= holding.refs
        except Exception:
            logger.exception("work item %s was not finished and will be claimed again", holding.ref)
            self._unfinished |= holding.refs

    def _admits(self, item: WorkItem) -> bool:
        return not self._stopping and (self._queues is None or item.queue in self._queues)

    async def _keep_leases(self) -> None:
        """Renew all leases, and stop the steps whose lease was lost."""
        lease_s = self._engine.settings.lease_s
        while True:
            await asyncio.sleep(lease_s / _RENEWALS_PER_LEASE)
            if not self._running and not self._unfinished:
                self._strays.clear()
                continue
            before = {task: holding.refs for task, holding in self._running.items()}
            try:
                await self._give_back(delay_s=self._engine.settings.poll_s)
                held = await self._engine.store.renew(self.id, lease_s)
            except InfrastructureError as error:
                logger.warning("worker %s cannot renew its leases: %s", self.id, error)
                continue
            except Exception:
                logger.exception("worker %s cannot renew its leases", self.id)
                continue
            for task, refs in before.items():
                holding = self._running.get(task)
                if holding is not None and holding.refs == refs and not refs & held:
                    self._cancel(task, holding)
            self._note_strays(held.difference(*before.values()))

    def _note_strays(self, held: set[WorkRef]) -> None:
        """Find what the store holds for this worker although nobody runs it: the answer to a claim or to a commit was lost.

        It is given back if it was so at two renewals in a row, and no claim is under way whose answer may still come.
        """
        strays = held.difference(*(holding.refs for holding in self._running.values()), self._unfinished)
        if self._is_claiming:
            strays.clear()
        self._unfinished |= strays & self._strays
        self._strays = strays - self._unfinished

    def _cancel(self, task: asyncio.Task[None], holding: Holding) -> None:
        self._engine.ask_to_stop(holding)
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
        """Give back work that was not finished; before leases are renewed, or it would be held for nothing.

        Args:
            delay_s: Seconds before it may be claimed again.

        Raises:
            InfrastructureError: The store does not answer; the work stays noted.
        """
        if self._unfinished:
            refs = tuple(self._unfinished)
            await self._engine.store.release(self.id, refs, delay_s=delay_s)
            self._unfinished.difference_update(refs)
