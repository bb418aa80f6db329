"""The command ``workflows worker`` as an operator starts it: an engine by name, hints between processes, an orderly end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

COMMAND = Path(sys.executable).parent / "workflows"
ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
DRAIN_S = 0.5
PROMPTLY_S = 10.0


def workflows(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [COMMAND, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": f"{EXAMPLES}{os.pathsep}{ROOT}"},
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


@pytest.mark.parametrize("workflow", ["hang", "hang-aside"])
def test_a_step_that_hangs_in_a_thread_does_not_hold_up_the_end_and_is_run_by_another_worker(
    tmp_path: Path, workflow: str
) -> None:
    answer_of(workflows("database", "--url", "sqlite:///hanging.db", "upgrade", cwd=tmp_path))
    engine = ("--engine", "tests.e2e.hanging_workflows:make_engine")
    options = ("--concurrency", "1", "--drain-seconds", str(DRAIN_S), "--json")
    first = workflows("worker", *engine, *options, cwd=tmp_path)
    second = None
    try:
        started = json.loads(answer_of(workflows(*engine, "start", workflow, "--user", "ann", "--json", cwd=tmp_path)))
        true((tmp_path / "begun").exists)
        at = time.monotonic()
        first.send_signal(signal.SIGTERM)
        output, errors = first.communicate(timeout=DRAIN_S + PROMPTLY_S)
        assert first.returncode == 0, errors
        assert time.monotonic() - at >= DRAIN_S, "the step had no time to end"
        assert json.loads(output.splitlines()[-1])["abandoned"] == 1

        (tmp_path / "may-end").touch()
        second = workflows("worker", *engine, *options, cwd=tmp_path)
        true(lambda: shown(started["id"], engine, tmp_path)["status"] == "completed")
        assert shown(started["id"], engine, tmp_path)["data"]["pid"] == second.pid
    finally:
        for worker in filter(None, (first, second)):
            worker.kill()
            worker.communicate()


def shown(instance: str, engine: tuple[str, ...], cwd: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer_of(workflows(*engine, "show", instance, "--json", cwd=cwd)))["instance"]
    return found


def true(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
