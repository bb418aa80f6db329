"""What the README tells people to type is what works."""

from __future__ import annotations

import html
import re
import shlex
import shutil
import subprocess
import textwrap
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
SERVE = "uv run --package workflows-reference workflows-demo"
TOUR = f"{SERVE} tour --url http://127.0.0.1:8000"
TEST = "uv run --all-packages --all-groups pytest"


def blocks() -> list[str]:
    """The indented blocks of the README, without their indentation."""
    found = re.findall(r"(?:^    .*\n|^\n(?=    ))+", README, re.MULTILINE)
    return [textwrap.dedent(block).strip("\n") for block in found]


def walk_through() -> str:
    return next(block for block in blocks() if block.startswith("URL="))


def test_the_readme_names_one_command_to_serve_and_one_to_test() -> None:
    assert f"pip install uv && {SERVE}" in blocks()
    assert f"pip install uv && {TEST}" in blocks()
    assert TOUR in blocks()
    assert TEST in (ROOT / ".ci" / "run").read_text(), "CI runs the tests as the README does"


def test_the_package_of_the_command_has_the_command() -> None:
    words = shlex.split(SERVE)
    package, command = words[words.index("--package") + 1], words[-1]
    projects = [tomllib.loads(path.read_text())["project"] for path in ROOT.glob("*/*/pyproject.toml")]
    project = next(project for project in projects if project["name"] == package)
    assert project["scripts"] == {command: "workflows_reference.cli:main"}


def test_uv_takes_the_commands_of_the_readme() -> None:
    if shutil.which("uv") is None:
        pytest.skip("uv is not on the PATH")
    for command, option in ((SERVE, "--help"), (TEST, "--version")):
        words = shlex.split(command)
        # Not to change the environment in which the tests run.
        words.insert(words.index("run") + 1, "--no-sync")
        ended = subprocess.run([*words, option], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 0, ended.stderr


def test_the_walk_through_works_as_it_is_written(demo_process: Callable[..., Any], tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("the walk-through needs curl")
    server = demo_process().start()
    script = walk_through().replace("http://127.0.0.1:8000", server.url)
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert '"write_receipt"' in ended.stdout
    assert "84.50 EUR" in ended.stdout


def test_the_home_page_shows_the_same_walk_through(demo_process: Callable[..., Any]) -> None:
    server = demo_process().start()
    with server.client() as visitor:
        page = html.unescape(visitor.get("/").text)
    assert walk_through().replace("http://127.0.0.1:8000", server.url) in page


def test_every_link_of_the_readme_leads_to_a_file() -> None:
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in target]
    assert targets
    assert not [target for target in targets if not (ROOT / target).exists()]
