"""How results are shown: tables for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Any

import click
import msgspec

from workflows_core.domain.payload import to_json_value

__all__ = ["as_json_line", "print_json", "print_table", "when"]


def print_json(value: Any) -> None:
    """Print one JSON document."""
    click.echo(msgspec.json.format(msgspec.json.encode(_plain(value)), indent=2))


def as_json_line(value: Any) -> str:
    """A value as JSON in one line."""
    return msgspec.json.encode(_plain(value)).decode()


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, msgspec.Struct):
        return _plain(msgspec.structs.asdict(value))
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return to_json_value(value)


def print_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table with aligned columns; only the headings if there are no rows."""
    cells = [list(headings), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    for row in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return when(value) if isinstance(value, datetime) else str(value)


def when(moment: datetime) -> str:
    """A moment in UTC, to the second."""
    return moment.strftime("%Y-%m-%d %H:%M:%SZ")
