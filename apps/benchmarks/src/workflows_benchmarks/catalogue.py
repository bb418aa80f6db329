"""The benchmarks that there are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from workflows_benchmarks.approval import measure_approval
from workflows_benchmarks.backlog import measure_backlog
from workflows_benchmarks.effort import Effort
from workflows_benchmarks.executors import measure_executors
from workflows_benchmarks.fan_out import measure_fan_out
from workflows_benchmarks.group_commit import measure_group_commit
from workflows_benchmarks.hints import measure_hints
from workflows_benchmarks.linear import measure_linear, measure_memory_steps
from workflows_benchmarks.places import STORES
from workflows_benchmarks.report import Report
from workflows_benchmarks.scale import measure_scale
from workflows_benchmarks.shared_file import measure_shared_file
from workflows_benchmarks.takeover import measure_takeover

__all__ = ["BENCHMARKS", "Benchmark"]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A benchmark.

    Attributes:
        measure: Measures it on one store.
        summary: What it measures, in a line.
        stores: Stores on which it can be measured.
        size: How many instances there are.
        quick_size: The same, where it is to be brief.
        size_means: What the number counts; empty if there is none.
    """

    measure: Callable[[str, Effort], Awaitable[Report]]
    summary: str
    stores: tuple[str, ...] = STORES
    size: int = 0
    quick_size: int = 0
    size_means: str = ""


_DATABASES: Final = ("sqlite", "postgresql")
_SERVER: Final = ("postgresql",)

BENCHMARKS: Final = {
    "memory-steps": Benchmark(measure_memory_steps, "what a step costs the engine itself", ("memory",)),
    "linear-5": Benchmark(measure_linear, "five steps one after the other"),
    "fan-out-20": Benchmark(measure_fan_out, "one step, twenty at the same time, one that joins them"),
    "approval": Benchmark(
        measure_approval, "from a decision to the end of its workflow", STORES, 1000, 50, "instances that wait"
    ),
    "hints": Benchmark(measure_hints, "from a start to its first step", STORES, 100, 8, "starts of each kind"),
    "takeover": Benchmark(measure_takeover, "from the death of a worker to the next attempt of its step", _DATABASES),
    "shared-file": Benchmark(
        measure_shared_file, "eight worker processes on one file", ("sqlite",), 600, 5, "seconds that they share it"
    ),
    "group-commit": Benchmark(measure_group_commit, "writes in batches against one by one", _DATABASES),
    "backlog": Benchmark(
        measure_backlog, "many starts at once, two worker processes", _SERVER, 10_000, 300, "workflows started at once"
    ),
    "executors": Benchmark(
        measure_executors,
        "workflows through each executor, beside chains of its bare queue",
        _SERVER,
        2000,
        60,
        "workflows",
    ),
    "scale": Benchmark(
        measure_scale, "one more workflow beside very many", _SERVER, 1_000_000, 10_000, "most finished instances"
    ),
}
