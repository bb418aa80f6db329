"""What the figures are to be, and whether they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from workflows_benchmarks.report import Report

__all__ = ["TARGETS", "Target", "Verdict", "judge", "to_table"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A bound for one figure.

    Attributes:
        benchmark: Name of the benchmark.
        store: Store on which it holds.
        figure: Name of the figure.
        measure: What that is, in words.
        goal: The bound, in words.
        most: The figure is at most this; a text is the name of another figure of the same report.
        least: The figure is at least this.
        unit: Comes after the figure.
    """

    benchmark: str
    store: str
    figure: str
    measure: str
    goal: str
    most: float | str | None = None
    least: float | None = None
    unit: str = ""


_QUEUES: Final = {"saq": "SAQ", "celery": "Celery", "arq": "ARQ"}

TARGETS: Final = (
    Target(
        benchmark="linear-5",
        store="postgresql",
        figure="commits_per_workflow",
        measure="commits of a workflow of five steps, nothing else going on",
        goal="≤ 7",
        most=7,
    ),
    Target(
        benchmark="linear-5",
        store="postgresql",
        figure="statements_per_workflow",
        measure="round trips of a workflow of five steps, nothing else going on",
        goal="≤ 7",
        most=7,
    ),
    Target(
        benchmark="linear-5",
        store="postgresql",
        figure="ratio_to_raw_commit_per_step",
        measure="workflows/s against a raw loop with one commit for each step, both at their best concurrency",
        goal="≥ 1 x",
        least=1,
        unit=" x",
    ),
    Target(
        benchmark="linear-5",
        store="sqlite",
        figure="ratio_to_raw_commit_per_step",
        measure="workflows/s against a raw loop with one commit for each step, both at their best concurrency",
        goal="≥ 0.5 x",
        least=0.5,
        unit=" x",
    ),
    Target(
        benchmark="linear-5",
        store="postgresql",
        figure="ratio_to_dbos",
        measure="workflows/s against DBOS, both at their best concurrency",
        goal="≥ 20 x",
        least=20,
        unit=" x",
    ),
    Target(
        benchmark="linear-5",
        store="postgresql",
        figure="p50_ratio_to_raw_alone",
        measure="median time of a workflow, one at a time, against the same raw loop",
        goal="≤ 2.5 x",
        most=2.5,
        unit=" x",
    ),
    Target(
        benchmark="linear-5",
        store="sqlite",
        figure="ratio_to_dbos",
        measure="workflows/s against DBOS, both at their best concurrency",
        goal="≥ 5 x",
        least=5,
        unit=" x",
    ),
    Target(
        benchmark="linear-5",
        store="sqlite",
        figure="ratio_to_langgraph",
        measure="workflows/s against LangGraph, both at their best concurrency",
        goal="≥ 5 x",
        least=5,
        unit=" x",
    ),
    Target(
        benchmark="fan-out-20",
        store="postgresql",
        figure="p50_ratio_to_dbos",
        measure="median time of a workflow, one at a time, against DBOS",
        goal="≤ 0.25 x",
        most=0.25,
        unit=" x",
    ),
    Target(
        benchmark="approval",
        store="postgresql",
        figure="decision_p50_ms",
        measure="from a decision to the end of its workflow, one step further; median",
        goal="≤ 1.5 x 2 raw commits + 2 ms",
        most="allowed_p50_ms",
        unit=" ms",
    ),
    Target(
        benchmark="backlog",
        store="postgresql",
        figure="worker_peak_memory_mib",
        measure="peak memory of a worker process, many workflows started at once",
        goal="≤ 150 MiB",
        most=150,
        unit=" MiB",
    ),
    Target(
        benchmark="scale",
        store="postgresql",
        figure="ratio_most_to_few",
        measure="time of one more workflow beside a million finished ones, against beside a thousand",
        goal="≤ 1.15 x",
        most=1.15,
        unit=" x",
    ),
    Target(
        benchmark="hints",
        store="postgresql",
        figure="hinted_p50_ms",
        measure="from a start to its first step, hints delivered; median",
        goal="≤ 10 ms",
        most=10,
        unit=" ms",
    ),
    Target(
        benchmark="hints",
        store="postgresql",
        figure="other_process_p50_ms",
        measure="from a start to its first step in another process, hints delivered; median",
        goal="≤ 10 ms",
        most=10,
        unit=" ms",
    ),
    Target(
        benchmark="hints",
        store="postgresql",
        figure="unhinted_p99_ms",
        measure="from a start to its first step, every hint lost; 99th percentile",
        goal="≤ 1,200 ms",
        most=1200,
        unit=" ms",
    ),
    Target(
        benchmark="group-commit",
        store="postgresql",
        figure="ratio_to_single",
        measure="steps/s with group commit against one transaction for each write, 64 workflows in flight",
        goal="≥ 5 x",
        least=5,
        unit=" x",
    ),
    *(
        Target(
            benchmark="takeover",
            store=store,
            figure="takeover_max_s",
            measure="from the death of a worker process to the next attempt of its step in another; the longest",
            goal="≤ lease + 2 s",
            most="allowed_s",
            unit=" s",
        )
        for store in ("postgresql", "sqlite")
    ),
    Target(
        benchmark="shared-file",
        store="sqlite",
        figure="errors_told",
        measure="errors and warnings, to callers and in logs, while eight processes share a file for ten minutes",
        goal="none",
        most=0,
    ),
    Target(
        benchmark="executors",
        store="postgresql",
        figure="saq_first_step_p50_ms",
        measure="from a start to its first step through SAQ; median",
        goal="≤ 15 ms",
        most=15,
        unit=" ms",
    ),
    *(
        Target(
            benchmark="executors",
            store="postgresql",
            figure=f"{queue}_ratio_to_chains",
            measure=f"workflows/s of five steps through {name}, against chains of five empty jobs without us, one worker process",
            goal="≥ 1 x",
            least=1,
            unit=" x",
        )
        for queue, name in _QUEUES.items()
    ),
    *(
        Target(
            benchmark="executors",
            store="postgresql",
            figure=f"{queue}_ratio_of_two_workers",
            measure=f"steps that wait 20 ms, two workers against one, {name}",
            goal="≥ 1.7 x",
            least=1.7,
            unit=" x",
        )
        for queue, name in ({"no_broker": "no broker"} | _QUEUES).items()
    ),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target beside what was measured.

    Attributes:
        target: The target.
        measured: The figure.
        bound: What the figure was compared with.
        is_met: Whether it is as good.
    """

    target: Target
    measured: float
    bound: float
    is_met: bool


def judge(report: Report) -> list[Verdict]:
    """The targets of which a report has the figure."""
    found: list[Verdict] = []
    for target in TARGETS:
        measured = report.figures.get(target.figure)
        if (report.name, report.store) != (target.benchmark, target.store) or measured is None:
            continue
        if target.least is not None:
            found.append(Verdict(target, measured, target.least, measured >= target.least))
        else:
            assert target.most is not None
            bound = report.figures[target.most] if isinstance(target.most, str) else target.most
            found.append(Verdict(target, measured, bound, measured <= bound))
    return found


def to_table(reports: Sequence[Report]) -> str:
    """Measure, target, measured and what it was measured on; nothing if no report has a target."""
    rows = [
        f"| {verdict.target.benchmark}: {verdict.target.measure} | {verdict.target.goal} | {_measured(verdict)} "
        f"| {'yes' if verdict.is_met else '**no**'} | {_beside(report)} |"
        for report in reports
        for verdict in judge(report)
    ]
    if not rows:
        return ""
    head = ["| measure | target | measured | met | measured on |", "| --- | --- | ---: | --- | --- |"]
    return "\n".join([*head, *rows, ""])


def _measured(verdict: Verdict) -> str:
    words = f"{_rounded(verdict.measured)}{verdict.target.unit}"
    if isinstance(verdict.target.most, str):
        words += f" (of {_rounded(verdict.bound)}{verdict.target.unit})"
    return words


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or float(value).is_integer() else f"{value:.2f}"


def _beside(report: Report) -> str:
    note = report.notes[0] if report.notes else report.store
    best = report.figures.get("raw_commits_per_s_best")
    return note if best is None else f"{note}; raw: {best:,.0f} commits/s"
