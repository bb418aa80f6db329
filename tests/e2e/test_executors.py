"""The same application on each executor: the whole stack as processes, the tour, and a worker that is killed in the middle."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from workflows_testing.servers import RedisServer

API = "/workflows/api"
DEMO = Path(sys.executable).parent / "workflows-demo"
HERE = Path(__file__).parent
KILL_AT = " 6. "
"""The step of the tour in which three checks run at once, and nobody but workers does anything."""


class Stack:
    """``workflows-demo stack``, and what it printed."""

    def __init__(self, directory: Path, environment: dict[str, str], *arguments: str) -> None:
        self.log_path = directory / "stack.log"
        self._ended = False
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [DEMO, "stack", "--port", "0", *arguments],
                env={"WORKFLOWS_DATA_DIR": str(directory / "data"), **environment},
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    @property
    def is_running(self) -> bool:
        assert self._process.poll() is None, f"the stack has ended:\n{self.log}"
        return "the stack is running" in self.log

    @property
    def url(self) -> str:
        found = re.search(r"the stack is running: (\S+)", self.log)
        assert found is not None
        return found[1]

    def pids(self, name: str) -> list[int]:
        """The process of that name and those before it, oldest first."""
        return [int(pid) for pid in re.findall(rf"^{name}: pid (\d+)$", self.log, re.MULTILINE)]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self._process.send_signal(how)
        code = self._process.wait(60)
        self._ended = True
        return code

    def clean_up(self) -> None:
        """End what a test that failed has left."""
        if not self._ended:
            self._process.kill()
            for pid in re.findall(r"^[\w ]+: pid (\d+)$", self.log, re.MULTILINE):
                if is_alive(int(pid)):
                    os.kill(int(pid), signal.SIGKILL)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def stack(tmp_path: Path, inherited: dict[str, str]) -> Generator[Callable[..., Stack]]:
    """Starts a stack; it is ended whatever happens."""
    started: list[Stack] = []

    def start(environment: dict[str, str], *arguments: str) -> Stack:
        started.append(Stack(tmp_path, {**inherited, **environment}, *arguments))
        return started[-1]

    yield start
    for one in started:
        one.clean_up()


@pytest.mark.parametrize("executor", ["local", "postgres", "saq", "celery", "arq"])
def test_the_tour_passes_although_a_worker_is_killed_in_the_middle(
    executor: str,
    stack: Callable[..., Stack],
    postgres_url: str,
    redis_service: RedisServer,
    eventually: Callable[..., Any],
    inherited: dict[str, str],
    tmp_path: Path,
) -> None:
    log, gate = tmp_path / "steps.log", tmp_path / "gate"
    running = stack(
        {
            "PYTHONPATH": str(HERE),
            "WORKFLOWS_DATABASE_URL": postgres_url,
            "WORKFLOWS_REDIS_URL": redis_service.database_url(1),
            "WORKFLOWS_MODULES": "kill_workflows",
            "WORKFLOWS_LEASE_SECONDS": "1",
            "WORKFLOWS_POLL_SECONDS": "0.3",
        },
        "--executor",
        executor,
    )
    eventually("the stack", lambda: running.is_running, 60)
    with client(running.url) as alice:
        started = alice.post(f"{API}/instances", json=drill(log, gate)).json()["id"]
        eventually("the slow step", lambda: runs(log).get("slow"))
    victim = holder(postgres_url, started)
    # Locally the server itself runs what it starts; with all others it runs nothing.
    assert (victim in running.pids("server")) == (executor == "local")
    assert victim in [pid for name in ("server", "worker 1", "worker 2") for pid in running.pids(name)]

    lines = []
    command = [str(DEMO), "tour", "--url", running.url]
    with subprocess.Popen(command, env=inherited, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as tour:
        assert tour.stdout is not None
        for line in tour.stdout:
            lines.append(line)
            if line.startswith(KILL_AT):
                os.kill(victim, signal.SIGKILL)
                gate.touch()
    assert tour.returncode == 0, "".join(lines)
    assert re.search(r"All \d\d checks passed", lines[-1])

    assert "has ended with -9, and is started again" in running.log
    with client(running.url) as alice:
        eventually("the task behind the slow step", lambda: open_tasks(alice, started))
    assert runs(log)["before"] == 1
    assert runs(log)["slow"] == 2, "the step that was killed ran again, elsewhere"
    assert running.stop() == 0
    assert "the stack has stopped" in running.log
    assert "does not end" not in running.log
    assert "Traceback" not in running.log


def test_a_stack_brings_its_own_servers_and_leaves_nothing(
    stack: Callable[..., Stack], eventually: Callable[..., Any]
) -> None:
    running = stack({}, "--executor", "saq", "--workers", "1")
    eventually("the stack", lambda: running.is_running, 60)
    assert re.search(r"^WORKFLOWS_DATABASE_URL=postgresql://", running.log, re.MULTILINE)
    assert re.search(r"^WORKFLOWS_REDIS_URL=redis://", running.log, re.MULTILINE)
    (worker,) = running.pids("worker 1")
    os.kill(worker, signal.SIGKILL)
    eventually("another worker", lambda: len(running.pids("worker 1")) == 2)
    assert running.stop(signal.SIGINT) == 0
    assert not [pid for name in ("server", "worker 1") for pid in running.pids(name) if is_alive(pid)]


def client(url: str) -> httpx.Client:
    credentials = {"username": "alice", "password": "demo"}
    token = httpx.post(f"{url}/login", json=credentials, timeout=20, trust_env=False).json()["token"]
    return httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=20, trust_env=False)


def drill(log: Path, gate: Path) -> dict[str, Any]:
    return {"workflow_name": "kill_drill", "initial_data": {"log": str(log), "gate": str(gate)}}


def runs(log: Path) -> Counter[str]:
    """How often each step of the drill has begun."""
    return Counter(line.split()[0] for line in log.read_text().splitlines()) if log.exists() else Counter()


def holder(url: str, instance: str) -> int:
    """The process that runs a step of an instance; the name of a worker is host:pid:number."""
    query = "SELECT worker FROM workflow_work_items WHERE instance_id = %s AND worker IS NOT NULL"
    deadline = time.monotonic() + 10
    with psycopg.connect(url, autocommit=True) as connection:
        while (row := connection.execute(query, [instance]).fetchone()) is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    return int(row[0].split(":")[1])


def open_tasks(alice: httpx.Client, instance: str) -> list[Any]:
    items: list[Any] = alice.get(f"{API}/tasks", params={"instance_id": instance}).json()["items"]
    return items
