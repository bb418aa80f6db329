"""Keeping the leases of a worker alive, and noticing when that fails."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Collection
from typing import Final, TypeAlias

from workflows_core.engine.holding import Holding
from workflows_core.errors import InfrastructureError
from workflows_core.ports.leases import Lease

__all__ = ["Heartbeat", "Known"]

logger = logging.getLogger(__name__)

_RENEWALS_PER_LEASE: Final = 3
_TRIES_PER_LEASE: Final = 12
_LOOKS_PER_LEASE: Final = 30

Known: TypeAlias = dict[Holding, Lease]
"""What a worker ran before a renewal, with what it held for each then."""


class Heartbeat:
    """Renews all leases of a worker with one statement, three times in the time of a lease.

    It may run in another thread and event loop than the steps. Where no renewal comes through before a lease ends, the code under way
    is asked to stop at once, and ``lapsed`` is called.
    """

    def __init__(
        self,
        worker: str,
        *,
        lease_s: float,
        holdings: Callable[[], Collection[Holding]],
        has_more: Callable[[], bool],
        renewed: Callable[[set[Lease], Known], None],
        lapsed: Callable[[Holding], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Wire it; everything that is called is called from where `run` runs.

        Args:
            worker: Whose leases.
            lease_s: Seconds of a lease.
            holdings: A copy of what the worker runs.
            has_more: Whether the worker holds something that it does not run; where nothing at all is held, nothing is renewed.
            renewed: Told what is held after a renewal, and what was run before it.
            lapsed: Told, once, of each lease that was not renewed in time.
            clock: The clock of the holdings.
        """
        self._worker = worker
        self._lease_s = lease_s
        self._holdings = holdings
        self._has_more = has_more
        self._renewed = renewed
        self._lapsed = lapsed
        self._clock = clock
        self._over: set[Holding] = set()

    async def run(self, renew: Callable[[str, float], Awaitable[set[Lease]]]) -> None:
        """Renew and watch, until cancelled.

        Args:
            renew: As `LeaseKeeper.renew`.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._renew(renew))
            group.create_task(self._watch())

    async def _renew(self, renew: Callable[[str, float], Awaitable[set[Lease]]]) -> None:
        pause_s = self._lease_s / _RENEWALS_PER_LEASE
        while True:
            await asyncio.sleep(pause_s * random.uniform(0.9, 1.0))  # noqa: S311 - not a secret
            came_through = await self._renew_once(renew)
            pause_s = self._lease_s / (_RENEWALS_PER_LEASE if came_through else _TRIES_PER_LEASE)

    async def _renew_once(self, renew: Callable[[str, float], Awaitable[set[Lease]]]) -> bool:
        known = {holding: holding.lease for holding in self._holdings()}
        held = set[Lease]()
        if known or self._has_more():
            sent = self._clock()
            try:
                # A renewal that hangs is tried again, over another connection, before the lease ends.
                async with asyncio.timeout(self._lease_s / _RENEWALS_PER_LEASE):
                    held = await renew(self._worker, self._lease_s)
            except TimeoutError:
                logger.warning("worker %s cannot renew its leases: the store does not answer", self._worker)
                return False
            except InfrastructureError as error:
                logger.warning("worker %s cannot renew its leases: %s", self._worker, error)
                return False
            except Exception:
                logger.exception("worker %s cannot renew its leases", self._worker)
                return False
            for holding in known:
                holding.renew(held, sent)
        self._renewed(held, known)
        return True

    async def _watch(self) -> None:
        """Look often whether a lease has ended, since the process may have been frozen, or the store be away."""
        while True:
            await asyncio.sleep(self._lease_s / _LOOKS_PER_LEASE)
            holdings = self._holdings()
            self._over.intersection_update(holdings)
            for holding in holdings:
                if holding not in self._over and holding.has_lapsed() and not holding.is_recording:
                    self._over.add(holding)
                    holding.ask_to_stop()
                    self._lapsed(holding)
