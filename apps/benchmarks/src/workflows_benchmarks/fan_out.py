"""One step splits into twenty empty ones that join: the worst case for whoever writes the instance at each step."""

from __future__ import annotations

from workflows_benchmarks.effort import Effort
from workflows_benchmarks.engines import open_engine
from workflows_benchmarks.linear import load_figures, measure_loads, warm_up
from workflows_benchmarks.peers.running import add_peers
from workflows_benchmarks.places import open_place
from workflows_benchmarks.report import Report
from workflows_benchmarks.workloads import BRANCHES, FAN_OUT_STEPS, fan_out

__all__ = ["measure_fan_out"]

CONCURRENCIES = (1, 32)


async def measure_fan_out(store: str, effort: Effort) -> Report:
    """Measure it on one store, one at a time and many at once; medians over the rounds."""
    definition = fan_out()
    async with open_place(store) as place:
        async with place.database() as url, open_engine(url, definition) as opened:
            await warm_up(opened, definition, effort, concurrency=1)
            found = await measure_loads(opened, definition, place, effort, CONCURRENCIES)
        figures, notes = load_figures(found, steps=FAN_OUT_STEPS)
        report = Report(f"fan-out-{BRANCHES}", store, figures, (*place.notes, *notes))
        return await add_peers(report, place, effort, CONCURRENCIES) if effort.peers else report
