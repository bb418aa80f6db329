"""The reference application as a process of its own, started by its real command."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from workflows_testing.servers import PostgresServer
from workflows_testing.servers.databases import DatabaseTemplate

DEMO = Path(sys.executable).parent / "workflows-demo"
START_S = 40.0


class DemoProcess:
    """One process of the demo, which may be killed and started again in the same place.

    Args:
        directory: Its data directory and its log.
        environment: Its variables, beside those that follow from the directory.
        arguments: Arguments of the command; none serves.
    """

    def __init__(self, directory: Path, environment: Mapping[str, str], arguments: tuple[str, ...] = ()) -> None:
        self.directory = directory
        self.data_dir = directory / "data"
        self.log_path = directory / "process.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.serves = not arguments
        self._arguments = arguments
        self._environment = {
            "WORKFLOWS_DATA_DIR": str(self.data_dir),
            "WORKFLOWS_PORT": str(self.port),
            "PYTHONUNBUFFERED": "1",
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def start(self, **environment: str) -> DemoProcess:
        """Start, and wait until it answers (a server) or says that it runs (a worker)."""
        self.launch(**environment)
        deadline = time.monotonic() + START_S
        while not self._is_up():
            assert self._process is not None
            assert self._process.poll() is None, f"the demo ended at once:\n{self.log}"
            assert time.monotonic() < deadline, f"the demo does not answer:\n{self.log}"
            time.sleep(0.05)
        return self

    def launch(self, **environment: str) -> subprocess.Popen[bytes]:
        """Start, and wait for nothing."""
        assert self._process is None, "it runs already"
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [DEMO, *self._arguments],
                env={**self._environment, **environment},
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self._process

    def kill(self) -> None:
        """``kill -9``: no handler runs, nothing is flushed."""
        self._end(signal.SIGKILL)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it as an init system does (or a terminal), and return its exit code."""
        return self._end(how)

    def client(self, user: str = "") -> httpx.Client:
        """A client, logged in as somebody."""
        headers: dict[str, str] = {}
        if user:
            credentials = {"username": user, "password": "demo"}
            answer = httpx.post(f"{self.url}/login", json=credentials, timeout=20, trust_env=False)
            answer.raise_for_status()
            headers["authorization"] = f"Bearer {answer.json()['token']}"
        return httpx.Client(base_url=self.url, headers=headers, timeout=20, trust_env=False)

    def _is_up(self) -> bool:
        if not self.serves:
            return "is running" in self.log
        try:
            return httpx.get(f"{self.url}/health", timeout=1, trust_env=False).is_success
        except httpx.TransportError:
            return False

    def _end(self, how: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(how)
        try:
            return process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)
            raise


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session", autouse=True)
def heeds_interrupts() -> Generator[None]:
    """Let processes obey SIGINT also where a shell has started the tests in the background, and ignores it for them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def inherited(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of every process: ours without settings of the demo, and with a place where Python keeps what it compiles."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WORKFLOWS_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return {**kept, "PYTHONPYCACHEPREFIX": str(tmp_path_factory.mktemp("compiled"))}


@pytest.fixture
def postgres_url(postgres_service: PostgresServer) -> Generator[str]:
    """URL of an empty database for one test."""
    template = DatabaseTemplate(postgres_service, lambda _: None)
    with template.database() as database:
        yield database.url
    template.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_environment(request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment that selects an empty database: a SQLite file in the data directory, or a real PostgreSQL."""
    if request.param == "sqlite":
        return {}
    return {"WORKFLOWS_DATABASE_URL": request.getfixturevalue("postgres_url")}


@pytest.fixture
def demo_process(tmp_path: Path, inherited: dict[str, str]) -> Generator[Callable[..., DemoProcess]]:
    """Makes processes of the demo in directories of their own; what still runs at the end is killed."""
    made: list[DemoProcess] = []

    def make(
        environment: Mapping[str, str] | None = None, *arguments: str, directory: Path | None = None
    ) -> DemoProcess:
        place = directory if directory is not None else tmp_path / f"demo-{len(made)}"
        place.mkdir(exist_ok=True)
        process = DemoProcess(place, {**inherited, **(environment or {})}, arguments)
        made.append(process)
        return process

    yield make
    for process in made:
        process.kill()


@pytest.fixture
def run_demo(tmp_path: Path, inherited: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command to its end."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [DEMO, *arguments],
            env={**inherited, **environment},
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    return run


@pytest.fixture
def unused_port() -> int:
    """A port at which nobody listens."""
    return free_port()


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Looks until something is found."""

    def look(what: str, find: Callable[[], Any], within_s: float = 30.0) -> Any:
        deadline = time.monotonic() + within_s
        while not (found := find()):
            assert time.monotonic() < deadline, f"{what} did not come within {within_s:g} s"
            time.sleep(0.05)
        return found

    return look
