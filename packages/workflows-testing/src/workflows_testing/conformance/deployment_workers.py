"""Rules for every deployment: workers die, are stopped, lack code, serve some queues only; the work gets done."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar, Final
from uuid import UUID

import pytest

from workflows_core import Actor
from workflows_core.ports.store import Write
from workflows_testing.builders import with_work
from workflows_testing.conformance.deployment_site import DeploymentContract, Site, no_overlaps
from workflows_testing.deployments import Deployment, WorkerOptions, make_engine
from workflows_testing.faults import FaultPlan, FaultyStore, StoreFault
from workflows_testing.faults.relay import StoreCall

__all__ = ["DeploymentWorkers"]

_QUIET_S: Final = 0.6


class DeploymentWorkers(DeploymentContract):
    """The rules."""

    async def test_the_work_of_a_killed_worker_is_done_by_another(self, deployment: Deployment) -> None:
        gate = deployment.effects.path.with_name("gate")
        async with self.site(deployment) as site:
            killed = await site.worker()
            instances = await site.start_many(3, "gated", gate=str(gate))
            await site.begun(*instances)
            await killed.kill()
            at = time.monotonic()
            await site.worker()
            await site.begun(*instances, times=2)
            gate.touch()
            await site.completed(*instances)
            no_overlaps(deployment.effects.runs(), kills=[at])
            for instance in instances:
                ended = [effect.step for effect in site.effects_of(instance) if effect.phase == "end"]
                assert ended == ["gate", "after"]

    @pytest.mark.patience("kills_patience_s")
    async def test_workers_that_are_killed_again_and_again_lose_nothing(self, deployment: Deployment) -> None:
        async with self.site(deployment) as site:
            workers = [await site.worker(), await site.worker()]
            instances: list[UUID] = []
            kills: list[float] = []
            for _ in range(self.kills):
                instances += await site.start_many(self.load, "fork", takes_s=0.2)
                await asyncio.sleep(self.kill_every_s)
                await workers.pop(0).kill()
                kills.append(time.monotonic())
                workers.append(await site.worker())
            await site.drained(len(instances), within=instances, patience_s=self.kills_patience_s)
            begun = Counter(effect.key for effect in deployment.effects.all() if effect.phase == "begin")
            attempts = {
                f"{instance}/{record.execution.number}": record.execution.attempts
                for instance in instances
                for record in await site.engine.queries.list_executions(instance)
            }
            assert begun.keys() == attempts.keys(), "a step has no effect, or one that is not recorded"
            assert all(begun[key] <= attempts[key] for key in attempts), "a step began more often than is recorded"
            no_overlaps(deployment.effects.runs(), kills=kills)

    async def test_a_stopped_worker_finishes_what_is_under_way_and_leaves_the_rest(
        self, deployment: Deployment
    ) -> None:
        async with self.site(deployment) as site:
            stopped = await site.worker(concurrency=2)
            instances = await site.start_many(12, "single", takes_s=0.3)
            await site.until("a step", lambda: len(deployment.effects.all()) >= 2)
            assert await stopped.stop() == 0, f"a worker does not end in good order\n{site.logs()}"
            runs = deployment.effects.runs()
            assert len(runs) < len(instances), "a worker that is to stop takes no more work"
            assert all(ended < float("inf") for spans in runs.values() for _, ended in spans), "a step was cut off"
            await site.worker()
            await site.completed(*instances)
            assert all(len(spans) == 1 for spans in deployment.effects.runs().values()), "a finished step ran again"

    async def test_a_stopped_worker_does_not_wait_for_a_thread_that_hangs(self, deployment: Deployment) -> None:
        gate = deployment.effects.path.with_name("gate")
        async with self.site(deployment) as site:
            stopped = await site.worker(drain_s=0.3)
            instance = await site.start("stuck", gate=str(gate))
            await site.begun(instance)
            try:
                assert await stopped.stop() == 0, f"a worker does not end in good order\n{site.logs()}"
                await site.worker()
                await site.begun(instance, times=2)
            finally:
                gate.touch()
            await site.completed(instance)

    async def test_a_step_whose_code_a_worker_lacks_is_left_to_another(self, deployment: Deployment) -> None:
        async with self.site(deployment) as site:
            await site.worker(lacks_second=True)
            instance = await site.start("pair")
            await site.until("the first step", lambda: len(site.effects_of(instance)) == 2)
            await asyncio.sleep(_QUIET_S)
            assert [effect.step for effect in site.effects_of(instance)] == ["first", "first"]
            await site.worker()
            await site.completed(instance)
            no_overlaps(deployment.effects.runs())

    async def test_work_goes_only_to_workers_that_serve_its_queue(self, deployment: Deployment) -> None:
        async with self.site(deployment) as site:
            await site.worker(queues=frozenset({"mail"}))
            others, mails = await site.start_many(5, "single"), await site.start_many(5, "mail")
            await site.until("the mail", lambda: all(site.effects_of(instance) for instance in mails))
            await asyncio.sleep(_QUIET_S)
            assert [site.effects_of(instance) for instance in others] == [[]] * 5
            await site.worker(queues=frozenset({"default"}))
            await site.completed(*mails, *others)

    async def test_urgent_work_comes_first(self, deployment: Deployment) -> None:
        async with self.site(deployment) as site:
            async with deployment.connect() as connected:
                plan = FaultPlan().on("commit", fault=Urgent())
                urgently = connected._replace(store=FaultyStore(connected.store, plan))
                async with make_engine(urgently, WorkerOptions()) as engine:
                    ordinary = await site.start_many(8, "single")
                    urgent = [(await engine.start_workflow("single")).id for _ in range(4)]
            await site.worker(concurrency=1)
            await site.completed(*ordinary, *urgent)
            assert set(_order(deployment)[:4]) == {str(instance) for instance in urgent}

    async def test_the_work_of_one_tenant_does_not_wait_for_all_that_of_another(self, deployment: Deployment) -> None:
        async with self.site(deployment) as site:
            crowd = await _start_for("busy", 12, site)
            few = await _start_for("quiet", 2, site)
            await site.worker(concurrency=1)
            await site.completed(*crowd, *few)
            turns = [instance in map(str, few) for instance in _order(deployment)]
            assert sum(turns[:7]) == len(few), "tenants do not take turns"


async def _start_for(tenant: str, number: int, site: Site) -> list[UUID]:
    """Start so many instances, one after the other."""
    actor = Actor("somebody", tenant=tenant)
    return [(await site.engine.start_workflow("single", actor=actor)).id for _ in range(number)]


def _order(deployment: Deployment) -> list[str]:
    """The instances, as their steps began."""
    return [effect.key.partition("/")[0] for effect in deployment.effects.all() if effect.phase == "begin"]


class Urgent(StoreFault):
    """Gives the work of everything that is started a high priority."""

    methods: ClassVar[frozenset[str]] = frozenset({"commit"})

    async def befall(self, call: StoreCall) -> Any:
        writes: Sequence[Write] = call.arguments[0]
        return await call.store.commit([with_work(write, priority=9) for write in writes])
