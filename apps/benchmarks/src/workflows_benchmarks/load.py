"""Load on an engine: so many workflows in flight for so long."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from workflows_benchmarks.engines import OpenEngine
from workflows_core import WorkflowCanceled, WorkflowCompleted, WorkflowDefinition, WorkflowFailed

__all__ = ["Finishes", "Throughput", "keep_in_flight", "median_rate", "run_one"]

_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Throughput:
    """What a load brought.

    Attributes:
        workflows_per_s: Finished workflows per second.
        p50_ms: Median time from start to end of one workflow.
        p99_ms: Its 99th percentile.
        cpu_us: Processor time of this process for one workflow, in microseconds.
    """

    workflows_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


class Finishes:
    """Tells when instances end, by the events of this process."""

    def __init__(self, opened: OpenEngine) -> None:
        self._waiting: dict[UUID, asyncio.Future[None]] = {}
        self._early: set[UUID] = set()
        self._error: RuntimeError | None = None
        self._stops = [
            opened.events.subscribe(WorkflowCompleted, self._completed),
            opened.events.subscribe(WorkflowFailed, self._broken),
            opened.events.subscribe(WorkflowCanceled, self._broken),
        ]

    def stop(self) -> None:
        """Listen no longer."""
        for stop in self._stops:
            stop()

    async def of(self, instance_id: UUID) -> None:
        """Wait until an instance has completed.

        Raises:
            RuntimeError: It, or another one that is measured, failed.
        """
        if self._error is not None:
            raise self._error
        if instance_id in self._early:
            self._early.discard(instance_id)
            return
        future = self._waiting[instance_id] = asyncio.get_running_loop().create_future()
        await future

    def _completed(self, event: WorkflowCompleted) -> None:
        future = self._waiting.pop(event.instance_id, None)
        if future is None:
            self._early.add(event.instance_id)
        elif not future.done():
            future.set_result(None)

    def _broken(self, event: WorkflowFailed | WorkflowCanceled) -> None:
        self._error = RuntimeError(f"a measured workflow did not complete: {event}")
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(self._error)


async def keep_in_flight(
    opened: OpenEngine, definition: WorkflowDefinition, *, concurrency: int, seconds: float
) -> Throughput:
    """Keep so many workflows in flight for so long.

    Raises:
        TimeoutError: Workflows are still under way a minute after the end.
    """
    finishes = Finishes(opened)
    deadline = time.perf_counter() + seconds
    durations: list[float] = []

    async def client() -> None:
        while (began := time.perf_counter()) < deadline:
            await run_one(opened, definition, finishes)
            durations.append(time.perf_counter() - began)

    began, cpu_began = time.perf_counter(), time.process_time()
    async with asyncio.timeout(seconds + _PATIENCE_S):
        await asyncio.gather(*(client() for _ in range(concurrency)))
    elapsed, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
    finishes.stop()
    durations.sort()
    p99 = durations[min(len(durations) - 1, int(len(durations) * 0.99))]
    return Throughput(
        len(durations) / elapsed, statistics.median(durations) * 1000, p99 * 1000, cpu_s / len(durations) * 1_000_000
    )


async def run_one(opened: OpenEngine, definition: WorkflowDefinition, finishes: Finishes) -> None:
    """Start a workflow and wait for its end."""
    instance = await opened.engine.start_workflow(definition.name)
    await finishes.of(instance.id)


def median_rate(throughputs: Sequence[Throughput]) -> float:
    """Median of the workflows per second."""
    return statistics.median(item.workflows_per_s for item in throughputs)
