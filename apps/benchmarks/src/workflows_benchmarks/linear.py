"""Five empty steps one after the other: workflows per second, one at a time and many at once, beside the raw database."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from functools import partial

from workflows_benchmarks.effort import Effort
from workflows_benchmarks.engines import OpenEngine, open_engine
from workflows_benchmarks.load import Finishes, Throughput, keep_in_flight, median_rate, run_one
from workflows_benchmarks.peers.running import add_peers
from workflows_benchmarks.places import Place, open_place
from workflows_benchmarks.report import Report
from workflows_benchmarks.side_by_side import Figures, Found, measure_side_by_side
from workflows_benchmarks.workloads import LINEAR_STEPS, linear
from workflows_core import WorkflowDefinition

__all__ = ["load_figures", "measure_linear", "measure_loads", "measure_memory_steps", "warm_up"]

CONCURRENCIES = (1, 8, 32, 128)


async def measure_linear(store: str, effort: Effort) -> Report:
    """Measure the linear workflow on one store; medians over the rounds."""
    definition = linear()
    async with open_place(store) as place:
        async with place.database() as url, open_engine(url, definition) as opened:
            await warm_up(opened, definition, effort)
            cost = await _cost_of_one(opened, definition)
            found = await measure_loads(opened, definition, place, effort, CONCURRENCIES)
        figures, notes = load_figures(found, steps=LINEAR_STEPS)
        report = Report(f"linear-{LINEAR_STEPS}", store, figures | cost, (*place.notes, *notes))
        return await add_peers(report, place, effort, CONCURRENCIES) if effort.peers else report


async def measure_memory_steps(store: str, effort: Effort, *, steps: int = 50) -> Report:
    """Measure what a linear step costs the engine in memory: microseconds and steps per second."""
    definition = linear(steps)
    async with open_engine(None, definition) as opened:
        await warm_up(opened, definition, effort)
        found = [
            await keep_in_flight(opened, definition, concurrency=8, seconds=effort.seconds)
            for _ in range(effort.rounds)
        ]
    steps_per_s = median_rate(found) * steps
    figures: Figures = {
        "steps_per_s": round(steps_per_s, 1),
        "us_per_step": round(1_000_000 / steps_per_s, 2),
        "cpu_us_per_step": round(statistics.median(item.cpu_us for item in found) / steps, 2),
    }
    return Report("memory-steps", store, figures, (f"workflows of {steps} empty steps; starts are included",))


async def measure_loads(
    opened: OpenEngine, definition: WorkflowDefinition, place: Place, effort: Effort, concurrencies: Sequence[int]
) -> Found[int, Throughput]:
    """Load an engine with so many workflows at once, and the raw database with as many clients, in turns."""
    ours = {
        concurrency: partial(keep_in_flight, opened, definition, concurrency=concurrency, seconds=effort.seconds)
        for concurrency in concurrencies
    }
    return await measure_side_by_side(ours, place.raw, effort, clients=concurrencies)


def load_figures(found: Found[int, Throughput], *, steps: int) -> tuple[Figures, tuple[str, ...]]:
    """The figures of a load at several concurrencies, with the ratio to a raw loop that commits once for each step."""
    best = max(map(median_rate, found.ours.values()))
    figures: Figures = {"workflows_per_s": round(best, 1)}
    for concurrency, throughputs in found.ours.items():
        figures[f"workflows_per_s_at_{concurrency}"] = round(median_rate(throughputs), 1)
    busiest = found.ours[max(found.ours)]
    figures["cpu_us_per_workflow"] = round(statistics.median(item.cpu_us for item in busiest), 1)
    figures["p50_ms_at_1"] = round(statistics.median(item.p50_ms for item in found.ours[1]), 3)
    figures["p99_ms_at_1"] = round(statistics.median(item.p99_ms for item in found.ours[1]), 3)
    figures |= found.beside()
    if not found.commits:
        return figures, ()
    raw_workflows = found.best_commits_per_s / steps
    alone_ms = 1000 * steps / max(rate for (_, clients), rate in found.medians().items() if clients == 1)
    figures["raw_workflows_per_s"] = round(raw_workflows, 1)
    figures["ratio_to_raw_commit_per_step"] = round(best / raw_workflows, 3)
    figures["p50_ratio_to_raw_alone"] = round(figures["p50_ms_at_1"] / alone_ms, 3)
    return figures, (found.raw_note(),)


async def warm_up(opened: OpenEngine, definition: WorkflowDefinition, effort: Effort, *, concurrency: int = 8) -> None:
    """Let connections be made, statements be prepared and code be compiled before anything is measured."""
    await keep_in_flight(opened, definition, concurrency=concurrency, seconds=min(effort.seconds, 1.0))


async def _cost_of_one(opened: OpenEngine, definition: WorkflowDefinition) -> Figures:
    """Milliseconds, statements and commits of one workflow with nothing else going on."""
    await asyncio.sleep(opened.engine.settings.poll_s)
    if opened.counts is not None:
        await opened.counts.reset()
    finishes = Finishes(opened)
    began = time.perf_counter()
    await run_one(opened, definition, finishes)
    figures: Figures = {"one_workflow_ms": round((time.perf_counter() - began) * 1000, 3)}
    finishes.stop()
    if opened.counts is not None:
        figures["statements_per_workflow"], figures["commits_per_workflow"] = await opened.counts.read()
    return figures
