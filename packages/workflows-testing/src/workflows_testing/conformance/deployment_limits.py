"""Rules for every deployment: limits hold across worker processes, whichever way work comes to them."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from workflows_testing.conformance.deployment_site import DeploymentContract, Site
from workflows_testing.deployments import Deployment
from workflows_testing.deployments.workload import LIMIT, RATE

__all__ = ["DeploymentLimits"]

_CUSTOMERS: Final = ("ada", "bob")
_NUMBER: Final = 3 * LIMIT
_SLACK_S: Final = 0.7
"""A step may note its beginning so much later than it was claimed."""


class DeploymentLimits(DeploymentContract):
    """The rules."""

    async def test_no_more_run_at_once_than_a_limit_allows_also_when_a_worker_is_killed(
        self, deployment: Deployment
    ) -> None:
        gate = deployment.effects.path.with_name("gate")
        async with self.site(deployment) as site:
            killed = await site.worker()
            started = [
                await site.start_many(_NUMBER, "limited", customer=customer, gate=str(gate), takes_s=0.1)
                for customer in _CUSTOMERS
            ]
            full = LIMIT * len(_CUSTOMERS)
            await site.until("a step in each slot", lambda: len(deployment.effects.all()) >= full)
            await site.worker()
            await site.worker()
            gate.touch()
            await killed.kill()
            at = time.monotonic()
            await site.until("a slot of the killed worker", lambda: _began_after(at, deployment))
            for instance in itertools.chain(*started):
                await site.completed(instance)
            for instances in started:
                assert _most_at_once(_spans(site, instances), killed=at) <= LIMIT

    async def test_no_more_begin_in_a_time_than_a_rate_allows_also_when_a_worker_is_killed(
        self, deployment: Deployment
    ) -> None:
        async with self.site(deployment) as site:
            killed = await site.worker()
            started = [
                await site.start_many(_NUMBER, "paced", customer=customer, takes_s=0.1) for customer in _CUSTOMERS
            ]
            await site.until("a step", deployment.effects.all)
            await killed.kill()
            await site.worker()
            await site.worker()
            for instance in itertools.chain(*started):
                await site.completed(instance)
            for instances in started:
                _are_paced(sorted(begin for begin, _ in _spans(site, instances)))


def _began_after(at: float, deployment: Deployment) -> bool:
    return any(effect.phase == "begin" and effect.at > at for effect in deployment.effects.all())


def _spans(site: Site, instances: Iterable[UUID]) -> list[tuple[float, float]]:
    """When the steps of instances ran."""
    keys = tuple(map(str, instances))
    return [span for key, spans in site.deployment.effects.runs().items() if key.startswith(keys) for span in spans]


def _are_paced(moments: Sequence[float]) -> None:
    """In no time, however short, there are more than the rate allows."""
    pause_s = RATE.per.total_seconds() / RATE.limit
    for (first, since), (last, until) in itertools.combinations(enumerate(moments), 2):
        least_s = (last - first + 1 - RATE.limit) * pause_s - _SLACK_S
        assert until - since >= least_s, f"{last - first + 1} began in {until - since:.2f} seconds"


def _most_at_once(spans: Sequence[tuple[float, float]], *, killed: float) -> int:
    """How many ran at the busiest moment; those without an end ended when their worker was killed."""
    begins = [(begun, 1) for begun, _ in spans]
    ends = [(ended if math.isfinite(ended) else killed, -1) for _, ended in spans]
    most = now = 0
    for _, change in sorted(begins + ends):
        now += change
        most = max(most, now)
    return most
