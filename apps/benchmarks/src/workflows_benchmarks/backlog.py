"""Many workflows are started at once; two worker processes work them off. How fast, and how much memory do they need?"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

from workflows_benchmarks.effort import Effort
from workflows_benchmarks.engines import open_front
from workflows_benchmarks.places import connect, open_place
from workflows_benchmarks.report import Report
from workflows_benchmarks.side_by_side import Figures, measure_side_by_side
from workflows_benchmarks.worker_processes import WorkerProcess, worker_processes
from workflows_benchmarks.workloads import LINEAR_STEPS, linear
from workflows_core import WorkflowEngine

__all__ = ["measure_backlog"]

WORKERS: Final = 2
_CLIENTS: Final = (32,)
_LOOK_S: Final = 0.05
_PATIENCE_S: Final = 120.0
"""A backlog that does not shrink for so long has stalled."""

_COUNT: Final = "SELECT count(*) FROM workflow_instances WHERE status = 'completed'"


@dataclass(frozen=True, slots=True)
class Cleared:
    """How a backlog went.

    Attributes:
        starts_per_s: Starts per second, until the last was durable.
        workflows_per_s: Workflows per second, from the first start to the last end.
    """

    starts_per_s: float
    workflows_per_s: float


async def measure_backlog(store: str, effort: Effort) -> Report:
    """Start ``effort.size`` workflows at once and wait for the last; the same workers take all rounds."""
    definition = linear()
    async with (
        open_place(store) as place,
        place.database() as url,
        connect(url) as database,
        open_front(url, definition, hints=True) as engine,
        worker_processes(url, WORKERS) as workers,
    ):
        idle_mib = _most_memory(workers)
        await _clear(engine, database, workers, definition.name, max(effort.size // 10, 1))

        async def measure() -> Cleared:
            return await _clear(engine, database, workers, definition.name, effort.size)

        found = await measure_side_by_side({"backlog": measure}, place.raw, effort, clients=_CLIENTS)
        peak_mib = _most_memory(workers)
    cleared = found.ours["backlog"]
    rate = statistics.median(item.workflows_per_s for item in cleared)
    figures: Figures = {
        "backlog": effort.size,
        "worker_processes": WORKERS,
        "starts_per_s": round(statistics.median(item.starts_per_s for item in cleared), 1),
        "workflows_per_s": round(rate, 1),
        "ratio_to_raw_commit_per_step": round(rate * LINEAR_STEPS / found.best_commits_per_s, 3),
    }
    if peak_mib is not None and idle_mib is not None:
        figures |= {"worker_idle_memory_mib": idle_mib, "worker_peak_memory_mib": peak_mib}
    notes = (found.raw_note(), "the process that starts the backlog shares the machine with the workers")
    return Report("backlog", store, figures | found.beside(), (*place.notes, *notes))


async def _clear(
    engine: WorkflowEngine, database: asyncpg.Connection, workers: Sequence[WorkerProcess], name: str, size: int
) -> Cleared:
    wanted = await database.fetchval(_COUNT) + size
    began = time.perf_counter()
    await asyncio.gather(*(engine.start_workflow(name) for _ in range(size)))
    started = time.perf_counter()
    done, moved = 0, started
    while done < wanted:
        await asyncio.sleep(_LOOK_S)
        for worker in workers:
            worker.check()
        before, done = done, await database.fetchval(_COUNT)
        now = time.perf_counter()
        if done > before:
            moved = now
        elif now - moved > _PATIENCE_S:
            msg = f"the backlog has stalled: {wanted - done} of {size} workflows are not over"
            raise TimeoutError(msg)
    return Cleared(size / (started - began), size / (time.perf_counter() - began))


def _most_memory(workers: Sequence[WorkerProcess]) -> float | None:
    found = [worker.peak_memory_mib for worker in workers]
    return max((mib for mib in found if mib is not None), default=None)
