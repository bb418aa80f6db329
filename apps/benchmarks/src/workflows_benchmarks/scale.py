"""What one more workflow costs when few, many and very many are over: it should cost the same."""

from __future__ import annotations

import statistics
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final

from workflows_benchmarks.effort import Effort
from workflows_benchmarks.engines import OpenEngine, open_engine
from workflows_benchmarks.finished_instances import multiply
from workflows_benchmarks.linear import warm_up
from workflows_benchmarks.load import Finishes, Throughput, keep_in_flight
from workflows_benchmarks.places import Place, connect, open_place
from workflows_benchmarks.report import Report
from workflows_benchmarks.side_by_side import Figures, measure_side_by_side
from workflows_benchmarks.workloads import linear
from workflows_core import WorkflowDefinition

__all__ = ["measure_scale"]

FRACTIONS: Final = (1000, 10, 1)


async def measure_scale(store: str, effort: Effort) -> Report:
    """Measure with a thousandth, a tenth and all of ``effort.size`` finished instances, in databases of their own, in turns."""
    definition = linear()
    sizes = [max(effort.size // fraction, 1) for fraction in FRACTIONS]
    async with open_place(store) as place, AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(_with_finished(place, definition, size)) for size in sizes]
        for one in opened:
            await warm_up(one, definition, effort)
        found = await measure_side_by_side(
            {
                size: partial(keep_in_flight, one, definition, concurrency=1, seconds=effort.seconds)
                for size, one in zip(sizes, opened, strict=True)
            },
            place.raw,
            effort,
        )
    figures: Figures = {}
    p50s = {size: _median_p50(throughputs) for size, throughputs in found.ours.items()}
    for size, p50 in p50s.items():
        figures[f"p50_ms_with_{size}_finished"] = round(p50, 3)
    figures["finished_most"] = sizes[-1]
    figures["ratio_many_to_few"] = round(p50s[sizes[1]] / p50s[sizes[0]], 3)
    figures["ratio_most_to_few"] = round(p50s[sizes[2]] / p50s[sizes[0]], 3)
    raw_ms = 1000 / max(found.medians().values()) * len(definition.steps)
    figures["p50_ratio_to_raw_alone"] = round(p50s[sizes[-1]] / raw_ms, 3)
    return Report("scale", store, figures | found.beside(), place.notes)


def _median_p50(throughputs: list[Throughput]) -> float:
    return statistics.median(item.p50_ms for item in throughputs)


@asynccontextmanager
async def _with_finished(place: Place, definition: WorkflowDefinition, finished: int) -> AsyncGenerator[OpenEngine]:
    """An engine over a database with so many finished instances."""
    async with place.database() as url, open_engine(url, definition) as opened:
        finishes = Finishes(opened)
        instance = await opened.engine.start_workflow(definition.name)
        await finishes.of(instance.id)
        finishes.stop()
        async with connect(url) as database:
            await multiply(database, instance.id, finished - 1)
        yield opened
