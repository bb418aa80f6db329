"""A person decides: how long until the workflow, of which one step is left, is over."""

from __future__ import annotations

import asyncio
import statistics
import time

from workflows_benchmarks.effort import Effort
from workflows_benchmarks.engines import OpenEngine, open_engine
from workflows_benchmarks.load import Finishes
from workflows_benchmarks.places import open_place
from workflows_benchmarks.raw import RawCommit
from workflows_benchmarks.report import Report
from workflows_benchmarks.side_by_side import Figures, measure_side_by_side
from workflows_benchmarks.workloads import approval
from workflows_core import Actor, WorkflowDefinition, WorkflowStatus

__all__ = ["measure_approval"]

COMMITS = 2
"""What a decision and the step after it cannot do without."""
ALLOWED_RATIO = 1.5
ALLOWED_MS = 2.0


async def measure_approval(store: str, effort: Effort) -> Report:
    """Let many instances wait, then decide one after the other; the raw database commits twice in between."""
    definition = approval()
    per_round = max(effort.size // effort.rounds, 1)
    raw_ms: list[float] = []
    async with open_place(store) as place, place.database() as url, open_engine(url, definition) as opened:
        await _let_wait(opened, definition, per_round * effort.rounds)

        async def measure() -> list[float]:
            if place.raw is not None:
                times = await place.raw.commit_times_ms(RawCommit.ADVANCE, times=per_round * COMMITS)
                raw_ms.extend(map(sum, zip(times[::2], times[1::2], strict=True)))
            return await _decide(opened, per_round)

        found = await measure_side_by_side({"decisions": measure}, place.raw, effort)
    p50s = [statistics.median(times) for times in found.ours["decisions"]]
    all_ms = sorted(time_ms for times in found.ours["decisions"] for time_ms in times)
    figures: Figures = {
        "waiting": per_round * effort.rounds,
        "decision_p50_ms": round(statistics.median(p50s), 3),
        "decision_p99_ms": round(all_ms[int(len(all_ms) * 0.99)], 3),
    }
    if raw_ms:
        two_commits = statistics.median(raw_ms)
        figures["raw_two_commits_p50_ms"] = round(two_commits, 3)
        figures["ratio_to_raw_two_commits"] = round(figures["decision_p50_ms"] / two_commits, 3)
        figures["allowed_p50_ms"] = round(ALLOWED_RATIO * two_commits + ALLOWED_MS, 3)
    note = "a raw commit here inserts a row and updates another: least of what a decision and a step must write"
    return Report("approval", store, figures | found.beside(), (*place.notes, note))


async def _let_wait(opened: OpenEngine, definition: WorkflowDefinition, instances: int) -> None:
    engine = opened.engine
    started = await asyncio.gather(*(engine.start_workflow(definition.name) for _ in range(instances)))
    for instance in started:
        waiting = await engine.wait(instance.id, timeout=120)
        assert waiting.status is WorkflowStatus.WAITING, waiting


async def _decide(opened: OpenEngine, decisions: int) -> list[float]:
    """Milliseconds of each decision, from the call to the end of its instance."""
    tasks = (await opened.engine.get_pending_tasks())[:decisions]
    person, finishes = Actor("approver"), Finishes(opened)
    found: list[float] = []
    for task in tasks:
        began = time.perf_counter()
        await opened.engine.complete_task(task.id, {"approved": True}, actor=person)
        async with asyncio.timeout(60):
            await finishes.of(task.instance_id)
        found.append((time.perf_counter() - began) * 1000)
    finishes.stop()
    return found
