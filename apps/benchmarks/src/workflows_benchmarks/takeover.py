"""A worker process is killed in the middle of a step: how long until another has begun that step again?"""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

from workflows_benchmarks.effort import Effort
from workflows_benchmarks.engines import open_front
from workflows_benchmarks.places import open_place
from workflows_benchmarks.report import Report
from workflows_benchmarks.side_by_side import Figures, measure_side_by_side
from workflows_benchmarks.worker_processes import worker_processes
from workflows_benchmarks.workloads import BEGUN, FIRST_STEP_AT, interrupted
from workflows_core import WorkflowEngine

__all__ = ["measure_takeover"]

LEASE_S: Final = 3.0
ALLOWED_S: Final = 2.0
"""What a takeover may last beyond the lease."""
_WORKERS: Final = 2
_PATIENCE_S: Final = 60.0


async def measure_takeover(store: str, effort: Effort) -> Report:
    """Kill one of two worker processes, ``effort.rounds`` times, each at a random moment of its lease."""
    definition = interrupted()
    async with (
        open_place(store) as place,
        place.database() as url,
        open_front(url, definition, hints=True) as engine,
    ):

        async def measure() -> float:
            return await _takeover_s(engine, url)

        found = await measure_side_by_side({"takeovers": measure}, None, effort)
    times = found.ours["takeovers"]
    figures: Figures = {
        "takeovers": len(times),
        "lease_s": LEASE_S,
        "takeover_p50_s": round(statistics.median(times), 3),
        "takeover_max_s": round(max(times), 3),
        "allowed_s": LEASE_S + ALLOWED_S,
    }
    note = (
        "from SIGKILL until the step has begun again; the killed worker renewed its lease up to a third of it earlier"
    )
    return Report("takeover", store, figures | found.beside(), (*place.notes, note))


async def _takeover_s(engine: WorkflowEngine, url: str | None) -> float:
    """Seconds between the death of a process and the next beginning of its step, in another process."""
    with tempfile.TemporaryDirectory(prefix="workflows-bench-") as folder:
        begun = Path(folder) / "begun"
        async with worker_processes(url, _WORKERS, lease_s=LEASE_S) as workers:
            instance = await engine.start_workflow("interrupted", {BEGUN: str(begun)})
            holder = await asyncio.to_thread(_written, begun)
            await asyncio.sleep(random.uniform(0, LEASE_S))
            (killed,) = [worker for worker in workers if worker.pid == holder]
            at = time.time()
            killed.kill()
            finished = await engine.wait(instance.id, timeout=_PATIENCE_S, until=lambda found: found.status.is_final)
    return float(finished.data[FIRST_STEP_AT] - at)


def _written(begun: Path) -> int:
    """Which process runs the step, when it has begun."""
    deadline = time.monotonic() + _PATIENCE_S
    while not (begun.exists() and begun.read_text()):
        if time.monotonic() > deadline:
            msg = f"no worker process has begun a step for {_PATIENCE_S:.0f} seconds"
            raise TimeoutError(msg)
        time.sleep(0.01)
    return int(begun.read_text())
