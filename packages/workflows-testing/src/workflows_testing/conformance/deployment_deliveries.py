"""Rules for every deployment: work gets to workers, as it is, when it is due, and once at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import pytest

from workflows_testing.conformance.deployment_site import DeploymentContract, no_overlaps, told_soon
from workflows_testing.deployments import Deployment
from workflows_testing.deployments.workload import NAP_S

__all__ = ["DeploymentDeliveries"]

PAYLOAD: Final[dict[str, Any]] = {
    "text": 'ünï©ode "quotes" 日本語 \x00 \U0001f600\n',
    "numbers": [0, -1, 2**63, 1.5, 1e-300, Decimal("1.10")],
    "nothing": None,
    "truth": [True, False],
    "moment": datetime(2026, 2, 3, 4, 5, 6, 123457, tzinfo=UTC),
    "span": timedelta(days=1, microseconds=1),
    "id": UUID(int=7),
    "raw": bytes(range(256)),
    "nested": {"a": [{"b": [[], {}, ""]}]},
}


class DeploymentDeliveries(DeploymentContract):
    """The rules."""

    async def test_an_idle_worker_is_told_of_work(self, deployment: Deployment) -> None:
        async with self.site(deployment) as site:
            await site.worker(poll_s=60.0)
            await site.completed(await site.start("single"))
            await told_soon(site)

    async def test_all_work_is_done_and_no_execution_runs_twice_at_once(self, deployment: Deployment) -> None:
        async with self.site(deployment) as site:
            await site.worker()
            await site.worker()
            await site.completed(*await site.start_many(15, "single", "fork", takes_s=0.01))
            runs = deployment.effects.runs()
            no_overlaps(runs)
            assert len(runs) == 15 * (1 + 4)
            assert all(len(spans) == 1 for spans in runs.values()), "nothing failed, so each execution runs once"

    async def test_what_is_delayed_never_comes_early(self, deployment: Deployment) -> None:
        async with self.site(deployment) as site:
            await site.worker()
            instances = await site.start_many(3, "timed")
            await site.completed(*instances)
            for instance in instances:
                at = {(effect.step, effect.phase): effect.at for effect in site.effects_of(instance)}
                assert at["after", "begin"] - at["before", "end"] >= NAP_S

    async def test_the_payload_arrives_unchanged(self, deployment: Deployment) -> None:
        async with self.site(deployment) as site:
            await site.worker()
            (instance,) = await site.completed(await site.start("echo", payload=PAYLOAD))
            assert instance.data["echo"] == PAYLOAD

    @pytest.mark.patience("flood_patience_s")
    async def test_a_flood_of_starts_drains(self, deployment: Deployment) -> None:
        async with self.site(deployment) as site:
            await site.worker(concurrency=32, poll_s=1.0)
            left = self.flood
            while left:
                some = min(left, 200)
                await site.start_many(some, "nothing")
                left -= some
            await site.drained(self.flood, patience_s=self.flood_patience_s)
            assert await site.engine.find_stalled() == []
