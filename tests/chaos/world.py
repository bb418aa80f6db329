"""A database, worker processes on it, and somebody who starts instances and decides, whatever happens."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

from tests.chaos import invariants
from tests.chaos.effects import Effects
from tests.chaos.load import ITEMS, WORKFLOWS
from tests.chaos.processes import WorkerProcess

from workflows_core import Actor, StoreUnavailableError, TaskAlreadyCompletedError, WorkflowEngine
from workflows_core.domain.types import WorkflowStatus
from workflows_core.ports.queries import InstanceFilter

T = TypeVar("T")

PEOPLE = ("ann", "bob")


async def end_all(*tasks: asyncio.Task[None]) -> None:
    """Cancel tasks, and wait for them."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class World:
    """Everything that a test of chaos needs.

    Args:
        engine: An engine in this process, which runs no steps.
        url: The database, as this process reaches it.
        directory: For files.
        environment: Of the workers.
    """

    def __init__(self, engine: WorkflowEngine, url: str, directory: Path, environment: dict[str, str]) -> None:
        self.engine = engine
        self.url = url
        self.directory = directory
        self.environment = environment
        self.effects = Effects(directory / "effects.jsonl")
        self.workers: list[WorkerProcess] = []
        self.started: set[UUID] = set()
        self.decisions: dict[UUID, str] = {}
        self.refused: list[StoreUnavailableError] = []
        self._is_over = False
        self._is_settling = False

    # Workers

    def launch(self, *options: str, **environment: str) -> WorkerProcess:
        """Start a worker, and wait for nothing."""
        log = self.directory / f"worker-{len(self.workers)}.log"
        worker = WorkerProcess({**self.environment, **environment}, log, *options)
        self.workers.append(worker)
        return worker

    def start_workers(self, number: int, *options: str, **environment: str) -> list[WorkerProcess]:
        """Start workers, and wait until they run."""
        launched = [self.launch(*options, **environment) for _ in range(number)]
        return [worker.await_up() for worker in launched]

    @property
    def alive(self) -> list[WorkerProcess]:
        return [worker for worker in self.workers if worker.is_alive]

    def logs(self) -> str:
        """What all workers said."""
        return "\n".join(f"--- {worker.log_path.name}\n{worker.log}" for worker in self.workers)

    # Load

    async def start(self, workflow: str, **data: object) -> UUID:
        """Start an instance, as often as it takes; the key makes that one instance."""
        key = uuid4().hex
        instance = await self.insist(
            lambda: self.engine.start_workflow(workflow, {"numbers": list(range(ITEMS)), **data}, idempotency_key=key)
        )
        self.started.add(instance.id)
        return instance.id

    async def load(self) -> None:
        """Start instances of every kind, again and again, until the chaos is over."""
        while not self._is_over:
            await asyncio.gather(*(self.start(definition.name) for definition in WORKFLOWS))
            await asyncio.sleep(random.uniform(0.1, 0.3))

    async def decide(self) -> None:
        """Complete each task that comes up; two people try it at once, and one of them may be told that he was late."""
        while not self._is_over or self._is_settling:
            pending = await self.insist(self.engine.get_pending_tasks)
            await asyncio.gather(*(self._complete(task.id, who) for task in pending for who in PEOPLE))
            await asyncio.sleep(0.05)

    async def _complete(self, task_id: UUID, who: str) -> None:
        async def complete() -> bool:
            try:
                await self.engine.complete_task(task_id, {"by": who}, actor=Actor(who))
            except TaskAlreadyCompletedError:
                return False
            return True

        if await self.insist(complete):
            assert task_id not in self.decisions, "two people were told that they had decided"
            self.decisions[task_id] = who

    async def insist(self, attempt: Callable[[], Awaitable[T]], *, within_s: float = 60.0) -> T:
        """Try again for as long as the store is away."""
        deadline = time.monotonic() + within_s
        while True:
            try:
                return await attempt()
            except StoreUnavailableError as error:
                self.refused.append(error)
                assert time.monotonic() < deadline, "the store is away for too long"
                await asyncio.sleep(0.05)

    # The end

    async def settle(self, *, within_s: float = 40.0) -> None:
        """Wait until everything is over, then check what must hold."""
        self._is_settling = True
        deciding = asyncio.create_task(self.decide())
        deadline = time.monotonic() + within_s
        try:
            while (counts := await self.insist(lambda: self.engine.queries.count_instances(InstanceFilter()))) != {
                WorkflowStatus.COMPLETED: len(self.started)
            }:
                assert time.monotonic() < deadline, f"it does not come to its end: {counts}\n{self.logs()}"
                assert self.alive, f"no worker is left\n{self.logs()}"
                await asyncio.sleep(0.05)
        finally:
            await end_all(deciding)
        assert await self.engine.find_stalled() == []
        await asyncio.to_thread(invariants.check, self.url, self.effects, self.started, self.decisions)

    async def under_load(self, chaos: Coroutine[Any, Any, None]) -> None:
        """Start and decide instances for as long as chaos is made, then settle: what has piled up may take as long again."""
        began = time.monotonic()
        self._is_over = False
        going_on = [asyncio.create_task(self.decide()), asyncio.create_task(self.load())]
        making = asyncio.create_task(chaos)
        try:
            await asyncio.wait((making, *going_on), return_when=asyncio.FIRST_COMPLETED)
            self._is_over = True
            await asyncio.gather(making, *going_on)  # a start or a decision is not given up: its answer counts
        finally:
            await end_all(making, *going_on)
        await self.settle(within_s=40.0 + time.monotonic() - began)

    def inside_a_step(self) -> list[WorkerProcess]:
        """The workers that are inside a step at present, as far as the steps wrote it down."""
        inside = self.effects.under_way()
        return [worker for worker in self.alive if worker.pid in inside]

    async def until(self, what: str, condition: Callable[[], object], *, within_s: float = 20.0) -> None:
        """Wait for something."""
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, f"{what} does not come\n{self.logs()}"
            await asyncio.sleep(0.01)
