"""What SAQ's queue gets to see, and what SAQ may do to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, ClassVar
from uuid import UUID

import pytest
from saq import Queue, Worker

from workflows_core import (
    BaseMachineStep,
    InMemoryWorkflowQueries,
    InMemoryWorkflowStore,
    MemoryState,
    Workflow,
    WorkflowContext,
    WorkflowRegistry,
)
from workflows_core.adapters.broker_executor import Hint
from workflows_core.adapters.wired_engine import WiredEngine
from workflows_core.ports.executor import WorkRef
from workflows_saq import SAQStepExecutor, SAQWorkerHost


@pytest.fixture
async def queue(redis_url: str, redis_key_prefix: str) -> AsyncGenerator[Queue]:
    queue = Queue.from_url(redis_url, name=f"{redis_key_prefix}here")
    yield queue
    await queue.disconnect()


async def test_a_job_names_queue_and_work_and_outlasts_every_answer(
    queue: Queue, redis_url: str, redis_key_prefix: str
) -> None:
    there = Queue.from_url(redis_url, name=f"{redis_key_prefix}there")
    executor = SAQStepExecutor(queue, queues={"mail": there})
    work = WorkRef(UUID(int=7), 3)
    await executor.send(Hint("mail", work))
    await executor.send(Hint("video", work))
    for name, sent_to in (("mail", there), ("video", queue)):
        job = await sent_to.dequeue(timeout=5)
        assert job is not None
        assert (job.function, job.kwargs) == ("workflows.run", {"queue": name, "work": str(work)})
        assert (job.timeout, job.retries, job.ttl) == (120, 3, 30)
        assert (job.scheduled, job.meta) == (0, {})
    await executor.close()
    await there.disconnect()


class Wait(BaseMachineStep):
    """Comes to its end when the test says so."""

    begun: ClassVar[asyncio.Event]
    gate: ClassVar[asyncio.Event]

    async def execute(self, context: WorkflowContext) -> None:
        self.begun.set()
        await self.gate.wait()


class Waiting(Workflow):
    """Has one step."""

    __steps__: ClassVar[Any] = [Wait]


async def test_a_step_goes_on_whose_job_saq_aborts(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("begun", "gate"):
        monkeypatch.setattr(Wait, name, asyncio.Event(), raising=False)
    memory = MemoryState()

    def make_engine() -> WiredEngine:
        registry = WorkflowRegistry()
        registry.register(Waiting)
        queries = InMemoryWorkflowQueries(memory)
        return WiredEngine(
            registry, store=InMemoryWorkflowStore(memory), queries=queries, executor=SAQStepExecutor(queue)
        )

    host = SAQWorkerHost(make_engine, concurrency=1)  # the answer waits for the step, which has the only slot
    settings = host.settings(queue, timers={"abort": 0.05})
    async with make_engine() as engine:
        instance = await engine.start_workflow(Waiting)
        worker = Worker(**settings)
        running = asyncio.create_task(worker.start())
        async with asyncio.timeout(10):
            await Wait.begun.wait()
            while not worker.job_task_contexts:
                await asyncio.sleep(0.01)
        [(job, under_way)] = worker.job_task_contexts.items()
        await job.abort("somebody wants so")
        await asyncio.wait((under_way["task"],), timeout=10)
        assert under_way["task"].cancelled()
        Wait.gate.set()
        finished = await engine.wait(instance.id, timeout=10)
        [record] = await engine.queries.list_executions(finished.id)
        assert record.execution.attempts == 1
        running.cancel()
        await running
