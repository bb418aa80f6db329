"""What a benchmark found, for people and for programs."""

from __future__ import annotations

import platform
import resource
import sys
from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec

__all__ = ["Report", "render"]


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of one benchmark in one run.

    Attributes:
        name: Name of the benchmark.
        store: Store that it ran on.
        figures: Figures by name; the unit is in the name.
        notes: What a reader must know to judge them.
    """

    name: str
    store: str
    figures: dict[str, float | int]
    notes: tuple[str, ...] = ()
    python: str = field(default_factory=platform.python_version)
    peak_memory_mib: float = field(
        default_factory=lambda: round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    )

    def to_json(self) -> dict[str, Any]:
        """One flat document: the figures stand beside name and store."""
        document = asdict(self)
        return {**document.pop("figures"), **document}


def render(reports: list[Report], *, as_json: bool) -> None:
    """Print reports: JSON (a list if there are several), or a Markdown table."""
    if as_json:
        documents = [report.to_json() for report in reports]
        answer = documents[0] if len(documents) == 1 else documents
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode() + "\n")
        return
    lines = ["| benchmark | store | figure | value |", "| --- | --- | --- | ---: |"]
    for report in reports:
        lines.extend(
            f"| {report.name} | {report.store} | {figure} | {value:,.2f} |" for figure, value in report.figures.items()
        )
    notes = sorted({note for report in reports for note in report.notes})
    sys.stdout.write("\n".join([*lines, "", *notes]) + "\n")
