"""Eight worker processes share one SQLite file for a long time: does anybody hear of that?"""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from pathlib import Path
from typing import Final

from workflows_benchmarks.effort import Effort
from workflows_benchmarks.engines import open_front
from workflows_benchmarks.places import open_place
from workflows_benchmarks.report import Report
from workflows_benchmarks.side_by_side import Figures
from workflows_benchmarks.worker_processes import worker_processes
from workflows_benchmarks.workloads import LINEAR_STEPS, linear
from workflows_core import WorkflowEngine, WorkflowStatus
from workflows_core.errors import WorkflowsError

__all__ = ["measure_shared_file"]

PROCESSES: Final = 8
_IN_FLIGHT: Final = 16
_PATIENCE_S: Final = 120.0
_COMPLAINT: Final = re.compile(" (WARNING|ERROR|CRITICAL) ")
"""In a line of a worker's log."""


async def measure_shared_file(store: str, effort: Effort) -> Report:
    """Keep workflows in flight for ``effort.size`` seconds; count those that end, and every error and warning."""
    definition = linear()
    with tempfile.TemporaryDirectory(prefix="workflows-bench-") as folder:
        log = Path(folder) / "workers.log"
        async with (
            open_place(store) as place,
            place.database() as url,
            open_front(url, definition, hints=True) as engine,
            worker_processes(url, PROCESSES, log=log) as workers,
        ):
            began = time.monotonic()
            clients = [_client(engine, definition.name, began + effort.size) for _ in range(_IN_FLIGHT)]
            found = await asyncio.gather(*clients)
            took_s = time.monotonic() - began
            for worker in workers:
                worker.check()
        complaints = [line for line in log.read_text().splitlines() if _COMPLAINT.search(line)]
    workflows = sum(finished for finished, _ in found)
    errors = [error for _, told in found for error in told]
    figures: Figures = {
        "processes": PROCESSES,
        "seconds": round(took_s),
        "workflows": workflows,
        "steps": workflows * LINEAR_STEPS,
        "workflows_per_s": round(workflows / took_s, 1),
        "errors_told": len(errors) + len(complaints),
    }
    notes = tuple(f"told: {words}" for words in sorted({*errors, *complaints})[:3])
    return Report("shared-file", store, figures, (*place.notes, *notes))


async def _client(engine: WorkflowEngine, name: str, deadline: float) -> tuple[int, list[str]]:
    """Start workflow after workflow, each when the one before has ended; how many did, and what went wrong."""
    finished = 0
    errors: list[str] = []
    while time.monotonic() < deadline:
        try:
            instance = await engine.start_workflow(name)
            ended = await engine.wait(instance.id, timeout=_PATIENCE_S)
        except (WorkflowsError, TimeoutError) as error:
            errors.append(repr(error))
        else:
            finished += 1
            if ended.status is not WorkflowStatus.COMPLETED:
                errors.append(f"a workflow ended as {ended.status}: {ended.error}")
    return finished, errors
