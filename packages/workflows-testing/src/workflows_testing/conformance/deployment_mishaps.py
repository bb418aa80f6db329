"""Rules for every deployment: whatever becomes of hints and of the broker, the outcome is the same."""

from __future__ import annotations

import asyncio

from workflows_testing.conformance.deployment_site import DeploymentContract, Site, no_overlaps, told_soon
from workflows_testing.deployments import Deployment, Mishap

__all__ = ["DeploymentMishaps"]

_NUMBER = 8
_KINDS = ("single", "fork", "pair")
_EXECUTIONS = 1 + 4 + 2
_AWAY_S = 1.0
_BACK_S = 1.0


class DeploymentMishaps(DeploymentContract):
    """The rules."""

    async def test_every_hint_may_be_lost(self, deployment: Deployment) -> None:
        await self._same_outcome_despite(Mishap.LOST, deployment)

    async def test_every_hint_may_be_doubled(self, deployment: Deployment) -> None:
        await self._same_outcome_despite(Mishap.DOUBLED, deployment)

    async def test_hints_may_come_in_another_order(self, deployment: Deployment) -> None:
        await self._same_outcome_despite(Mishap.REORDERED, deployment)

    async def test_a_broker_that_is_down_delays_work_and_fails_nothing(self, deployment: Deployment) -> None:
        async with self.site(deployment) as site:
            await _stop_broker(deployment)
            try:
                async with asyncio.timeout(self.patience_s):  # nobody waits for the broker
                    await site.start_many(_NUMBER, *_KINDS)
            finally:
                await _start_broker(deployment)
            await site.worker()
            await _same_outcome(site, _NUMBER * len(_KINDS))

    async def test_a_broker_that_goes_away_under_workers_delays_work_and_fails_nothing(
        self, deployment: Deployment
    ) -> None:
        async with self.site(deployment) as site:
            workers = [await site.worker(), await site.worker()]
            await site.completed(await site.start("single"))
            await _stop_broker(deployment)
            try:
                async with asyncio.timeout(self.patience_s):
                    await site.start_many(_NUMBER, *_KINDS)
                await asyncio.sleep(0.3)
            finally:
                await _start_broker(deployment)
            for worker in workers:
                await worker.keep_up()
            await _same_outcome(site, _NUMBER * len(_KINDS), others=1)

    async def test_a_step_goes_on_while_the_broker_is_away(self, deployment: Deployment) -> None:
        gate = deployment.effects.path.with_name("gate")
        async with self.site(deployment) as site:
            worker = await site.worker()
            instance = await site.start("gated", gate=str(gate))
            await site.begun(instance)
            await asyncio.sleep(_BACK_S)  # its message is done with
            await _stop_broker(deployment)
            try:
                await asyncio.sleep(_AWAY_S)
            finally:
                await _start_broker(deployment)
            await worker.keep_up()
            await asyncio.sleep(_BACK_S)
            gate.touch()
            await site.completed(instance)
            assert [effect.step for effect in site.effects_of(instance)] == ["gate", "gate", "after", "after"]
            records = await site.engine.queries.list_executions(instance)
            assert [record.execution.attempts for record in records] == [1, 1], "a step was begun anew"

    async def test_a_broker_that_forgets_its_messages_delays_work(self, deployment: Deployment) -> None:
        async with self.site(deployment) as site:
            await site.start_many(_NUMBER, *_KINDS)
            await asyncio.sleep(0.2)
            if deployment.broker is not None:
                await deployment.broker.empty()
            await site.worker()
            await _same_outcome(site, _NUMBER * len(_KINDS))

    async def test_a_worker_is_told_of_work_after_the_broker_has_forgotten_everything(
        self, deployment: Deployment
    ) -> None:
        async with self.site(deployment) as site:
            worker = await site.worker(poll_s=60.0)
            await site.completed(await site.start("single"))
            if deployment.broker is not None:
                await deployment.broker.empty()
            await told_soon(site)
            assert await worker.stop() == 0, f"a worker does not end in good order\n{site.logs()}"

    async def _same_outcome_despite(self, mishap: Mishap, deployment: Deployment) -> None:
        async with self.site(deployment, mishap=mishap) as site:
            await site.worker(mishap=mishap)
            await site.worker(mishap=mishap)
            await site.start_many(_NUMBER, *_KINDS)
            await _same_outcome(site, _NUMBER * len(_KINDS))


async def _same_outcome(site: Site, number: int, *, others: int = 0) -> None:
    """Everything completed, every execution done to its end, none twice at once; the same as on a good day.

    Args:
        site: The site.
        number: How many instances were started of the kinds together.
        others: How many single ones besides.
    """
    await site.drained(number + others)
    assert await site.engine.find_stalled() == []
    runs = site.deployment.effects.runs()
    no_overlaps(runs)
    assert len(runs) == number // len(_KINDS) * _EXECUTIONS + others
    assert all(spans[-1][1] < float("inf") for spans in runs.values())


async def _stop_broker(deployment: Deployment) -> None:
    """Where there is none, nothing can be down."""
    if deployment.broker is not None:
        await deployment.broker.stop()


async def _start_broker(deployment: Deployment) -> None:
    if deployment.broker is not None:
        await deployment.broker.start()
