"""The command ``workflows worker`` as an operator starts it: an engine by name, hints between processes, an orderly end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

COMMAND = Path(sys.executable).parent / "workflows"
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def workflows(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [COMMAND, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(EXAMPLES)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answer_of(process: subprocess.Popen[str]) -> str:
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return output


def test_a_worker_runs_what_other_commands_start_and_ends_when_told(tmp_path: Path) -> None:
    answer_of(workflows("database", "--url", "sqlite:///workers.db", "upgrade", cwd=tmp_path))
    worker = workflows("worker", "--engine", "workers:make_engine", "--queues", "default,mail", "--json", cwd=tmp_path)
    try:
        talk_to(worker, tmp_path)
    finally:
        worker.kill()
        worker.communicate()


def talk_to(worker: subprocess.Popen[str], tmp_path: Path) -> None:
    assert worker.stdout is not None
    running = json.loads(worker.stdout.readline())
    assert running["event"] == "running"
    assert running["workflows"] == ["thumbnail@1.0.0"]
    assert running["queues"] == ["default", "mail"]

    engine = ("--engine", "workers:make_engine")
    start = ("start", "thumbnail", "--data", '{"width": 50}', "--user", "ann", "--json")
    started = json.loads(answer_of(workflows(*engine, *start, cwd=tmp_path)))
    status = ""
    while status != "completed":
        shown = json.loads(answer_of(workflows(*engine, "show", started["id"], "--json", cwd=tmp_path)))
        status = shown["instance"]["status"]
    assert json.loads(answer_of(workflows(*engine, "stalled", "--json", cwd=tmp_path))) == []

    worker.send_signal(signal.SIGTERM)
    output, errors = worker.communicate(timeout=30)
    assert worker.returncode == 0, errors
    assert [json.loads(line)["event"] for line in output.splitlines()] == ["stopping", "stopped"]


def test_a_worker_that_cannot_reach_its_store_at_the_start_says_so_and_fails(tmp_path: Path) -> None:
    worker = workflows("worker", "--engine", "workers:make_engine", cwd=tmp_path)
    _output, errors = worker.communicate(timeout=60)
    assert worker.returncode == 1
    assert "database upgrade" in errors
