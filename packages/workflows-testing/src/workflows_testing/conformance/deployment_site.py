"""What the rules about deployments ask of an adapter's test class, and what they all do."""

from __future__ import annotations

import asyncio
import itertools
import math
import os
import time
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

import pytest
from msgspec.structs import replace

from workflows_core import WorkflowEngine, WorkflowInstance
from workflows_core.domain.types import WorkflowStatus
from workflows_core.ports.queries import InstanceFilter, PageRequest
from workflows_testing.deployments import Deployment, Effect, Mishap, WorkerOptions, WorkerProcess, make_engine

__all__ = ["DeploymentContract", "Site", "no_overlaps", "told_soon"]

_CLIENT: Final = WorkerOptions(poll_s=0.05)
_QUIET_S: Final = 2.7
"""A worker that has had nothing to do for so long looks again in more than a second: what it does sooner, it was told."""
_SOON_S: Final = 1.0
_TRIES: Final = 3


class Site:
    """A deployment in use: an engine that starts workflows, and workers, which are killed at the end.

    Attributes:
        engine: Runs no steps.
        deployment: The deployment.
    """

    def __init__(self, deployment: Deployment, engine: WorkflowEngine, patience_s: float) -> None:
        self.engine: Final = engine
        self.deployment: Final = deployment
        self.patience_s: Final = patience_s
        self.workers: Final[list[WorkerProcess]] = []

    async def worker(self, options: WorkerOptions | None = None, **others: Any) -> WorkerProcess:
        """Start a worker, and wait for nothing."""
        chosen = replace(options if options is not None else WorkerOptions(), **others)
        worker = await self.deployment.start_worker(chosen)
        self.workers.append(worker)
        return worker

    async def start(self, workflow: str, **data: Any) -> UUID:
        """Start an instance."""
        return (await self.engine.start_workflow(workflow, data)).id

    async def start_many(self, number: int, *workflows: str, **data: Any) -> list[UUID]:
        """Start so many instances of each."""
        return list(
            await asyncio.gather(*(self.start(workflow, **data) for workflow in workflows for _ in range(number)))
        )

    async def completed(self, *instances: UUID) -> list[WorkflowInstance]:
        """Wait until instances have come to their end, which must be a good one."""
        await self.drained(len(instances), within=instances)
        return [await self.engine.get_instance(instance) for instance in instances]

    async def drained(self, number: int, *, within: Collection[UUID] = (), patience_s: float | None = None) -> None:
        """Wait until so many instances are completed; those in particular."""

        async def are_completed() -> bool:
            counts = await self.engine.queries.count_instances(InstanceFilter())
            assert not counts.get(WorkflowStatus.FAILED), await self._failures()
            if counts.get(WorkflowStatus.COMPLETED, 0) < number:
                return False
            found = [await self.engine.get_instance(instance) for instance in within]
            return all(instance.status is WorkflowStatus.COMPLETED for instance in found)

        deadline = time.monotonic() + (patience_s or self.patience_s)
        while not await are_completed():
            counts = await self.engine.queries.count_instances(InstanceFilter())
            assert time.monotonic() < deadline, f"work is not done: {counts}\n{self.logs()}"
            await asyncio.sleep(0.02)

    async def _failures(self) -> str:
        """What the records say of instances that have failed."""
        page = await self.engine.queries.list_instances(
            InstanceFilter(statuses=(WorkflowStatus.FAILED,)), PageRequest()
        )
        records = [record for one in page.items for record in await self.engine.queries.list_executions(one.id)]
        return "\n".join(map(repr, records))

    async def until(self, what: str, is_so: Callable[[], object]) -> None:
        """Wait for something."""
        deadline = time.monotonic() + self.patience_s
        while not is_so():
            assert time.monotonic() < deadline, f"{what} does not come\n{self.logs()}"
            await asyncio.sleep(0.01)

    async def begun(self, *instances: UUID, times: int = 1) -> None:
        """Wait until a step of each instance has begun so often."""
        await self.until(
            "a step",
            lambda: all(
                sum(effect.phase == "begin" for effect in self.effects_of(instance)) >= times for instance in instances
            ),
        )

    def effects_of(self, instance: UUID) -> list[Effect]:
        """What the steps of an instance did."""
        return self.deployment.effects.of(instance)

    def logs(self) -> str:
        """What all workers said."""
        return "\n".join(f"--- worker {number}\n{worker.log}" for number, worker in enumerate(self.workers))


class DeploymentContract:
    """The fixture that the rules ask for.

    Attributes:
        adapter: The executor under test.
        patience_s: Seconds after which work is taken for lost; workers start within that time too.
        flood: How many instances are started at once.
        kills: How often a worker is killed under load; the variable ``WORKFLOWS_TEST_KILLS`` of the environment says otherwise.
        kill_every_s: Seconds between two kills.
        load: How many instances are started before each of them.
    """

    adapter: type
    patience_s: float = 20.0
    flood: int = 1_000
    kills: int = int(os.environ.get("WORKFLOWS_TEST_KILLS", "2"))
    kill_every_s: float = 3.0
    load: int = 50

    @property
    def flood_patience_s(self) -> float:
        """The patience with a flood."""
        return max(self.patience_s, self.flood / 50)

    @property
    def kills_patience_s(self) -> float:
        """The patience with workers that are killed again and again."""
        return self.kills * max(self.patience_s, self.kill_every_s)

    @pytest.fixture
    def deployment(self) -> Deployment:
        """The deployment under test."""
        msg = f"{type(self).__name__} must override the fixture `deployment`; see workflows_testing.deployments"
        raise TypeError(msg)

    @asynccontextmanager
    async def site(self, deployment: Deployment, *, mishap: Mishap = Mishap.NONE) -> AsyncGenerator[Site]:
        """Use the deployment.

        Args:
            deployment: The deployment.
            mishap: What happens to the hints that starts give.
        """
        async with deployment.connect() as connected, make_engine(connected, replace(_CLIENT, mishap=mishap)) as engine:
            site = Site(deployment, engine, self.patience_s)
            try:
                yield site
            finally:
                await asyncio.gather(*(worker.kill() for worker in site.workers))


def no_overlaps(runs: dict[str, list[tuple[float, float]]], *, kills: Sequence[float] = ()) -> None:
    """No execution ran twice at once.

    Args:
        runs: When each ran, as `Effects.runs` says.
        kills: When processes were killed, in order: the first after the beginning ended what has no other end.
    """
    for key, spans in runs.items():
        for (since, ended), (begun, _) in itertools.pairwise(spans):
            end = ended if math.isfinite(ended) else next((at for at in kills if at >= since), math.inf)
            assert end <= begun, f"execution {key} ran twice at once"


async def told_soon(site: Site) -> None:
    """A worker that has come to rest is told of work; it may be busy with something else now and then."""
    took_s = [await _time_of_idle_start(site)]
    while min(took_s) > _SOON_S and len(took_s) < _TRIES:
        took_s.append(await _time_of_idle_start(site))
    assert min(took_s) <= _SOON_S, f"the worker was not told: it took {took_s} seconds\n{site.logs()}"


async def _time_of_idle_start(site: Site) -> float:
    """Let the worker come to rest, start an instance, and see how long that takes."""
    await asyncio.sleep(_QUIET_S)
    at = time.monotonic()
    await site.completed(await site.start("single"))
    return time.monotonic() - at
