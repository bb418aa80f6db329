"""What a benchmark found, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

import msgspec

from workflows_benchmarks.machine import describe_machine, peak_memory_mib

__all__ = ["Report", "read_reports", "to_json", "to_markdown"]


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of one benchmark in one run.

    Attributes:
        name: Name of the benchmark.
        store: Store that it ran on.
        figures: Figures by name; the unit is in the name.
        notes: What a reader must know to judge them.
        peers: What other libraries made of the same work in the same run, by name.
        machine: What it ran on.
        measured_on: The day.
        peak_memory_mib: Most memory that this process held.
    """

    name: str
    store: str
    figures: Mapping[str, float | int]
    notes: tuple[str, ...] = ()
    peers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    machine: str = field(default_factory=describe_machine)
    measured_on: str = field(default_factory=lambda: datetime.now(UTC).date().isoformat())
    peak_memory_mib: float | None = field(default_factory=peak_memory_mib)

    def to_json(self) -> dict[str, Any]:
        """One document, in which the figures stand beside name and store."""
        document = asdict(self)
        return {**document.pop("figures"), **document}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        own = {"name", "store", "notes", "peers", "machine", "measured_on", "peak_memory_mib"}
        figures = {name: value for name, value in document.items() if name not in own}
        facts = {name: document[name] for name in own} | {"notes": tuple(document["notes"])}
        return cls(figures=figures, **facts)


def to_json(reports: Sequence[Report]) -> str:
    """A document, or a list of them if there are several."""
    documents = [report.to_json() for report in reports]
    answer = documents[0] if len(documents) == 1 else documents
    return msgspec.json.format(msgspec.json.encode(answer), indent=2).decode() + "\n"


def read_reports(text: str | bytes) -> list[Report]:
    """Read what `to_json` wrote."""
    document = msgspec.json.decode(text)
    return [Report.from_json(each) for each in (document if isinstance(document, list) else [document])]


def to_markdown(reports: Sequence[Report]) -> str:
    """A table of all figures, then what a reader must know."""
    lines = ["| benchmark | store | figure | value |", "| --- | --- | --- | ---: |"]
    for report in reports:
        lines.extend(
            f"| {report.name} | {report.store} | {figure} | {value:,.2f} |"
            for figure, value in {**report.figures, "peak_memory_mib": report.peak_memory_mib}.items()
            if value is not None
        )
    notes = sorted({note for report in reports for note in (*report.notes, report.machine)})
    return "\n".join([*lines, "", *(f"- {note}" for note in notes), ""])
