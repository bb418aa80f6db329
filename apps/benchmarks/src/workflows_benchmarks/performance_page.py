"""Keeps measured figures, and writes them into the page of the documentation, between two marks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from workflows_benchmarks.catalogue import BENCHMARKS
from workflows_benchmarks.places import STORES
from workflows_benchmarks.report import Report, read_reports, to_json
from workflows_benchmarks.targets import to_table

__all__ = ["BEGIN", "END", "describe", "keep", "rewrite"]

BEGIN: Final = "<!-- figures: from here on written by workflows-bench document -->\n"
END: Final = "<!-- figures: end -->\n"

_LINEAR: Final = ("linear-5", "fan-out-20")
_OURSELVES: Final = "workflows"


def keep(file: Path, found: Sequence[Report]) -> list[Report]:
    """Add reports to those in a file, in the place of earlier ones of the same benchmark and store.

    Returns:
        All that are in the file now.
    """
    kept = read_reports(file.read_bytes()) if file.exists() else []
    reports = {(report.name, report.store): report for report in (*kept, *found)}
    order = list(BENCHMARKS)
    ordered = sorted(reports.values(), key=lambda report: (order.index(report.name), STORES.index(report.store)))
    file.write_text(to_json(ordered), encoding="utf-8")
    return ordered


def rewrite(page: Path, reports: Sequence[Report]) -> None:
    """Replace what is between the marks.

    Raises:
        ValueError: The page has not both marks.
    """
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        msg = f"{page} needs the lines {BEGIN.strip()!r} and {END.strip()!r}: between them the figures are written"
        raise ValueError(msg)
    page.write_text(before + BEGIN + describe(reports) + END + after, encoding="utf-8")


def describe(reports: Sequence[Report]) -> str:
    """The targets, the throughput beside the raw databases, and the peers, as Markdown."""
    machines = "; ".join(sorted({f"{report.machine}, on {report.measured_on}" for report in reports}))
    busy = [report.figures["cores_busy_besides"] for report in reports if "cores_busy_besides" in report.figures]
    parts = [f"\nMeasured on {machines}. {_busy(busy)}\n", "### Targets\n", to_table(reports)]
    parts += ["### Throughput\n", _throughput([report for report in reports if report.name in _LINEAR])]
    for name in _LINEAR:
        compared = [report for report in reports if report.name == name and report.peers]
        if compared:
            parts += [f"### Beside other libraries: `{name}`\n", _peers(compared)]
    return "\n".join(parts) + "\n"


def _busy(cores: Sequence[float]) -> str:
    if not cores:
        return ""
    if max(cores) < 0.1:
        return "The machine had nothing else to do."
    return (
        f"The machine had other things to do: they kept {min(cores):.1f} to {max(cores):.1f} cores busy, "
        "so the figures are lower than they could be, and those of a single process more so than those of a server."
    )


def _throughput(reports: Sequence[Report]) -> str:
    lines = [
        "| benchmark | store | workflows/s, one at a time | best | raw loop, best | ratio | median of one | peak memory |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for report in reports:
        figures = report.figures
        raw = figures.get("raw_workflows_per_s")
        ratio = figures.get("ratio_to_raw_commit_per_step")
        lines.append(
            f"| `{report.name}` | {report.store} | {figures['workflows_per_s_at_1']:,.0f} | {figures['workflows_per_s']:,.0f} "
            f"| {'' if raw is None else f'{raw:,.0f}'} | {'' if ratio is None else f'{ratio:.2f} x'} "
            f"| {figures['p50_ms_at_1']:.2f} ms | {report.peak_memory_mib or 0:,.0f} MiB |"
        )
    return "\n".join([*lines, ""])


def _peers(reports: Sequence[Report]) -> str:
    lines = [
        "| library | beside | workflows/s, best | ours to theirs | median of one | how |",
        "| --- | --- | ---: | ---: | ---: | --- |",
    ]
    for report in reports:
        best = report.figures["workflows_per_s"]
        lines.append(f"| {_OURSELVES} | {report.store} | {best:,.0f} | | {report.figures['p50_ms_at_1']:.2f} ms | |")
        lines.extend(
            f"| {name} {found['version']} | {report.store} | {found['workflows_per_s']:,.0f} "
            f"| {best / found['workflows_per_s']:.2g} x | {found['p50_ms_at_1']:.2f} ms | {found['note']} |"
            for name, found in report.peers.items()
        )
    missing = [f"- {report.store}: {note}" for report in reports for note in report.notes if "was not measured" in note]
    if missing:
        lines += ["", *missing]
    return "\n".join([*lines, ""])
