"""The page about the command line shows what the commands say about themselves.

After a change that is meant, ``WORKFLOWS_UPDATE_DOCS=1 pytest tests/docs`` writes the page anew; read the difference.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click
from click.testing import CliRunner

from workflows_core.cli.main import build_group

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"
MARK = "<!-- commands: from here on written by tests/docs/test_cli.py -->\n"


def commands(group: click.Group, *path: str) -> Iterator[tuple[str, ...]]:
    """Every command below a group, by the words with which it is called."""
    for name, command in sorted(group.commands.items()):
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)


def described() -> str:
    """The help of all commands, as the page shows it."""
    group = build_group()
    parts: list[str] = []
    for path in [(), *commands(group)]:
        shown = CliRunner().invoke(group, [*path, "--help"], prog_name="workflows", terminal_width=100)
        assert shown.exit_code == 0, shown.output
        parts.append(f"\n## {' '.join(('workflows', *path))}\n\n```text\n{shown.output}```\n")
    return "".join(parts)


def test_the_page_shows_the_help_of_every_command() -> None:
    before, _, shown = PAGE.read_text(encoding="utf-8").partition(MARK)
    if os.environ.get("WORKFLOWS_UPDATE_DOCS"):
        shown = described()
        PAGE.write_text(before + MARK + shown, encoding="utf-8")
    assert shown == described()
