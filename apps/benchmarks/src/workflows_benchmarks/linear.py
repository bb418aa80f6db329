"""Five empty steps one after the other: workflows per second, one at a time and many at once, beside the raw database."""

from __future__ import annotations

import asyncio
import statistics
import time
from dataclasses import dataclass
from uuid import UUID

from workflows_benchmarks.report import Report
from workflows_benchmarks.stores import OpenStore, open_store
from workflows_benchmarks.workloads import LINEAR_STEPS, linear
from workflows_core import WorkflowCompleted, WorkflowDefinition, WorkflowEngine

__all__ = ["measure_linear", "measure_memory_steps"]

_CONCURRENCIES = (1, 32, 128)


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


async def measure_linear(store_name: str, *, seconds: float, rounds: int) -> Report:
    """Measure the linear workflow on one store; medians over the rounds.

    Args:
        store_name: ``memory``, ``sqlite`` or ``postgresql``.
        seconds: Length of each measurement.
        rounds: How often each is repeated.
    """
    async with open_store(store_name) as opened:
        definition = linear()
        opened.engine.registry.register_definition(definition)
        await _load(opened, definition, concurrency=8, seconds=min(seconds, 1.0))
        single, statements, commits = await _finish_one(opened, definition)
        found = {
            concurrency: [
                await _load(opened, definition, concurrency=concurrency, seconds=seconds) for _ in range(rounds)
            ]
            for concurrency in _CONCURRENCIES
        }
        raw = None if opened.measure_raw is None else await opened.measure_raw(seconds)
    best = max(_median(throughputs) for throughputs in found.values())
    figures: dict[str, float | int] = {"workflows_per_s": round(best, 1)}
    for concurrency, throughputs in found.items():
        figures[f"workflows_per_s_at_{concurrency}"] = round(_median(throughputs), 1)
    figures["p50_ms_at_1"] = round(statistics.median(item.p50_ms for item in found[1]), 3)
    figures["p99_ms_at_1"] = round(statistics.median(item.p99_ms for item in found[1]), 3)
    figures["one_workflow_ms"] = round(single, 3)
    if raw is not None:
        figures["commits_per_workflow"] = commits
        figures["statements_per_workflow"] = statements
        figures["raw_commits_per_s_best"] = round(raw.best, 1)
        figures["raw_commits_per_s_alone"] = round(raw.alone, 1)
        raw_workflows = raw.best / LINEAR_STEPS
        figures["raw_workflows_per_s"] = round(raw_workflows, 1)
        figures["ratio_to_raw_commit_per_step"] = round(best / raw_workflows, 3)
        figures["p50_ratio_to_raw_alone"] = round(figures["p50_ms_at_1"] / (LINEAR_STEPS / raw.alone * 1000), 3)
    return Report(f"linear-{LINEAR_STEPS}", store_name, figures, opened.notes)


async def measure_memory_steps(*, seconds: float, rounds: int, steps: int = 50) -> Report:
    """Measure what a linear step costs the engine in memory: microseconds and steps per second."""
    async with open_store("memory") as opened:
        definition = linear(steps)
        opened.engine.registry.register_definition(definition)
        await _load(opened, definition, concurrency=1, seconds=min(seconds, 1.0))
        found = [await _load(opened, definition, concurrency=8, seconds=seconds) for _ in range(rounds)]
    steps_per_s = _median(found) * steps
    figures = {
        "steps_per_s": round(steps_per_s, 1),
        "us_per_step": round(1_000_000 / steps_per_s, 2),
        "cpu_us_per_step": round(statistics.median(item.cpu_us for item in found) / steps, 2),
    }
    return Report("memory-steps", "memory", figures, (f"workflows of {steps} empty steps; starts are included",))


def _median(throughputs: list[Throughput]) -> float:
    return statistics.median(item.workflows_per_s for item in throughputs)


class _Finishes:
    """Tells when instances end, by the events of this process."""

    def __init__(self, opened: OpenStore) -> None:
        self._waiting: dict[UUID, asyncio.Future[None]] = {}
        self._early: set[UUID] = set()
        self.stop = opened.events.subscribe(WorkflowCompleted, self._ended)

    def _ended(self, event: WorkflowCompleted) -> None:
        future = self._waiting.pop(event.instance_id, None)
        if future is None:
            self._early.add(event.instance_id)
        elif not future.done():
            future.set_result(None)

    async def of(self, instance_id: UUID) -> None:
        if instance_id in self._early:
            self._early.discard(instance_id)
            return
        future = self._waiting[instance_id] = asyncio.get_running_loop().create_future()
        await future


async def _load(opened: OpenStore, definition: WorkflowDefinition, *, concurrency: int, seconds: float) -> Throughput:
    """Keep so many workflows in flight for so long."""
    engine, finishes = opened.engine, _Finishes(opened)
    deadline = time.perf_counter() + seconds
    durations: list[float] = []

    async def client() -> None:
        while (began := time.perf_counter()) < deadline:
            await _run_one(engine, definition, finishes)
            durations.append(time.perf_counter() - began)

    began, cpu_began = time.perf_counter(), time.process_time()
    await asyncio.gather(*(client() for _ in range(concurrency)))
    elapsed, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
    finishes.stop()
    durations.sort()
    p99 = durations[min(len(durations) - 1, int(len(durations) * 0.99))]
    return Throughput(
        len(durations) / elapsed, statistics.median(durations) * 1000, p99 * 1000, cpu_s / len(durations) * 1_000_000
    )


async def _run_one(engine: WorkflowEngine, definition: WorkflowDefinition, finishes: _Finishes) -> None:
    instance = await engine.start_workflow(definition.name)
    await finishes.of(instance.id)


async def _finish_one(opened: OpenStore, definition: WorkflowDefinition) -> tuple[float, int, int]:
    """Milliseconds, statements and commits of one workflow with nothing else going on."""
    await asyncio.sleep(opened.engine.settings.poll_s)
    if opened.counts is not None:
        await opened.counts.reset()
    finishes = _Finishes(opened)
    began = time.perf_counter()
    await _run_one(opened.engine, definition, finishes)
    took_ms = (time.perf_counter() - began) * 1000
    finishes.stop()
    statements, commits = (0, 0) if opened.counts is None else await opened.counts.read()
    return took_ms, statements, commits
