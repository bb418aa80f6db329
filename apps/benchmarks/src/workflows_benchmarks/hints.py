"""From a start to its first step: when a hint tells the worker, and when every hint is lost and it must look for itself."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from workflows_benchmarks.effort import Effort
from workflows_benchmarks.engines import open_engine, open_front
from workflows_benchmarks.places import open_place
from workflows_benchmarks.report import Report
from workflows_benchmarks.side_by_side import Figures, measure_side_by_side
from workflows_benchmarks.worker_processes import worker_processes
from workflows_benchmarks.workloads import FIRST_STEP_AT, stamped
from workflows_core import Worker, WorkflowEngine

__all__ = ["first_step_ms", "measure_hints"]

_STARTS_PER_S = 4.0
"""Seldom enough that workers are at rest in between."""


async def measure_hints(store: str, effort: Effort) -> Report:
    """Measure ``effort.size`` starts of each kind on one store."""
    per_round = max(effort.size // effort.rounds, 1)
    async with open_place(store) as place, AsyncExitStack() as stack:
        engines = {"hinted": await _hinted(stack, await stack.enter_async_context(place.database()))}
        if place.store != "memory":
            url = await stack.enter_async_context(place.database())
            engines["unhinted"] = await stack.enter_async_context(_unhinted(url))
            url = await stack.enter_async_context(place.database())
            engines["other_process"] = await stack.enter_async_context(_other_process(url))
        for engine in engines.values():
            await first_step_ms(engine)

        async def measure() -> dict[str, list[float]]:
            return {kind: await _starts(engine, per_round) for kind, engine in engines.items()}

        found = await measure_side_by_side({"starts": measure}, place.raw, effort)
    figures: Figures = {"starts": per_round * effort.rounds}
    for kind in engines:
        times = sorted(time_ms for each in found.ours["starts"] for time_ms in each[kind])
        figures[f"{kind}_p50_ms"] = round(statistics.median(times), 3)
        figures[f"{kind}_p99_ms"] = round(times[int(len(times) * 0.99)], 3)
    notes = ["hinted: worker and start in one event loop"]
    if found.commits:
        raw_ms = 1000 / max(found.medians().values())
        figures["ratio_to_raw_commit"] = round(figures["hinted_p50_ms"] / raw_ms, 3)
        notes += [
            "unhinted: the executor drops every hint",
            "other_process: the worker is a `workflows worker` process",
        ]
    return Report("hints", store, figures | found.beside(), (*place.notes, *notes))


async def _hinted(stack: AsyncExitStack, url: str | None) -> WorkflowEngine:
    return (await stack.enter_async_context(open_engine(url, stamped()))).engine


@asynccontextmanager
async def _unhinted(url: str | None) -> AsyncGenerator[WorkflowEngine]:
    """An engine whose executor drops every hint, and a worker of another engine, which finds its work by looking."""
    async with open_front(url, stamped(), hints=False) as engine, open_front(url, stamped(), hints=False) as working:
        worker = Worker(working)
        running = asyncio.create_task(worker.run())
        try:
            yield engine
        finally:
            await worker.stop()
            await running


@asynccontextmanager
async def _other_process(url: str | None) -> AsyncGenerator[WorkflowEngine]:
    async with open_front(url, stamped(), hints=True) as engine, worker_processes(url, 1):
        yield engine


async def _starts(engine: WorkflowEngine, number: int) -> list[float]:
    """Milliseconds to the first step of starts at random moments."""
    seconds = number / _STARTS_PER_S

    async def one() -> float:
        await asyncio.sleep(random.uniform(0, seconds))
        return await first_step_ms(engine)

    return list(await asyncio.gather(*(one() for _ in range(number))))


async def first_step_ms(engine: WorkflowEngine) -> float:
    """Milliseconds from a start to its first step, in whichever process that is."""
    began = time.time()
    instance = await engine.start_workflow("stamped")
    finished = await engine.wait(instance.id, timeout=60, until=lambda found: found.status.is_final)
    return float((finished.data[FIRST_STEP_AT] - began) * 1000)
