"""Group commit against one transaction for each write, with 64 workflows in flight."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Final, cast

from workflows_benchmarks.effort import Effort
from workflows_benchmarks.engines import OpenEngine, open_engine
from workflows_benchmarks.linear import warm_up
from workflows_benchmarks.load import keep_in_flight, median_rate
from workflows_benchmarks.places import Place, open_place
from workflows_benchmarks.report import Report
from workflows_benchmarks.side_by_side import Figures, measure_side_by_side
from workflows_benchmarks.workloads import LINEAR_STEPS, linear
from workflows_core.ports.store import WorkflowStore, Write, WriteResult
from workflows_sqlalchemy import SQLAlchemyWorkflowStore, create_store

__all__ = ["measure_group_commit"]

IN_FLIGHT: Final = 64
CONNECTIONS: Final = {"sqlite": (1,), "postgresql": (2, 10)}
"""On PostgreSQL as many as the store writes batches with, and as many as its pool has; SQLite has one writer."""


class SingleCommits:
    """Stands before a store: each write becomes a transaction of its own, on as many connections as there are lanes."""

    def __init__(self, store: SQLAlchemyWorkflowStore, lanes: Sequence[SQLAlchemyWorkflowStore]) -> None:
        self._store = store
        self._lanes = lanes
        self._free: asyncio.Queue[SQLAlchemyWorkflowStore] = asyncio.Queue()
        for lane in lanes:
            self._free.put_nowait(lane)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        return [await self._commit_one(write) for write in writes]

    async def close(self) -> None:
        for lane in self._lanes:
            await lane.close()
        await self._store.close()

    async def _commit_one(self, write: Write) -> WriteResult:
        lane = await self._free.get()
        try:
            return (await lane.commit((write,)))[0]
        finally:
            self._free.put_nowait(lane)


async def measure_group_commit(store: str, effort: Effort) -> Report:
    """Measure steps per second with and without, in databases of their own, in turns."""
    definition = linear()
    async with open_place(store) as place, AsyncExitStack() as stack:
        engines: dict[int, OpenEngine] = {}
        for connections in (0, *CONNECTIONS[store]):
            engines[connections] = await _open(place, stack, connections)
            await warm_up(engines[connections], definition, effort)
        found = await measure_side_by_side(
            {
                connections: partial(keep_in_flight, opened, definition, concurrency=IN_FLIGHT, seconds=effort.seconds)
                for connections, opened in engines.items()
            },
            place.raw,
            effort,
            clients=(1, IN_FLIGHT),
        )
    rates = {connections: median_rate(throughputs) * LINEAR_STEPS for connections, throughputs in found.ours.items()}
    grouped = rates.pop(0)
    figures: Figures = {"steps_per_s": round(grouped, 1)}
    for connections, rate in rates.items():
        figures[f"single_steps_per_s_on_{connections}"] = round(rate, 1)
        figures[f"ratio_to_single_on_{connections}"] = round(grouped / rate, 3)
    figures["ratio_to_single"] = round(grouped / max(rates.values()), 3)
    figures["ratio_to_raw_commit_per_step"] = round(grouped / found.best_commits_per_s, 3)
    cpu_us = statistics.median(item.cpu_us for item in found.ours[0]) / LINEAR_STEPS
    figures["cpu_us_per_step"] = round(cpu_us, 1)
    notes = (found.raw_note(), "single: the same engine and store, each write in a transaction of its own")
    return Report("group-commit", store, figures | found.beside(), (*place.notes, *notes))


async def _open(place: Place, stack: AsyncExitStack, connections: int) -> OpenEngine:
    url = await stack.enter_async_context(place.database())
    assert url is not None

    def single(store: SQLAlchemyWorkflowStore) -> WorkflowStore:
        lanes = [create_store(url, pool_size=1).store for _ in range(connections)]
        return cast("WorkflowStore", SingleCommits(store, lanes))

    return await stack.enter_async_context(open_engine(url, linear(), wrap=single if connections else None))
