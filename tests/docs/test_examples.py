"""Every example of the documentation runs, and prints what the documentation shows.

After a change that is meant, ``WORKFLOWS_UPDATE_DOCS=1 pytest tests/docs`` writes the output files anew; read the difference.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from workflows_testing.servers import RedisServer

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
PROGRAMS = sorted(path for path in EXAMPLES.glob("*.py") if not path.name.startswith("test_"))
TESTS = sorted(EXAMPLES.glob("test_*.py"))
CHOSEN = {"test_udp_deployment": "told_of_work or work_of_a_killed_worker"}
"""Of a kit that starts many processes, the rules that take little time and fail if one of its parts does not work."""


def run(*arguments: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python as a reader would, but with warnings as errors."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8", **environment}
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=cwd,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
    )


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_a_program_prints_what_the_documentation_shows(
    program: Path, tmp_path: Path, redis_service: RedisServer
) -> None:
    broker = redis_service.database_url(3)
    finished = run(program, cwd=tmp_path, REDIS_URL=broker, BROKER_URL=broker)
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""
    shown = program.with_suffix(".txt")
    if os.environ.get("WORKFLOWS_UPDATE_DOCS"):
        shown.write_text(finished.stdout, encoding="utf-8")
    assert finished.stdout == shown.read_text(encoding="utf-8")


@pytest.mark.parametrize("module", TESTS, ids=lambda path: path.stem)
def test_the_tests_that_the_documentation_shows_pass(module: Path, tmp_path: Path) -> None:
    project = shutil.copytree(EXAMPLES, tmp_path / "project")  # so that our own configuration of pytest does not help
    finished = run("-m", "pytest", "-q", module.name, "-k", CHOSEN.get(module.stem, ""), cwd=project)
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_every_output_belongs_to_a_program() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.txt")} == {path.stem for path in PROGRAMS}
