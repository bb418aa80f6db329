"""What the documentation says about production can be started: its compose files, its unit of systemd, its commands."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit

import pytest
import yaml

from workflows_sqlalchemy import schema
from workflows_testing.servers import RedisServer

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = DOCS / "examples"
COMPOSE = sorted(EXAMPLES.glob("compose.*.yaml"))
DRAIN_S = 30.0
"""What all workers give the steps under way."""
PATIENCE_S = 50.0

WEB = """
from litestar import Litestar
from workflows_litestar import WorkflowPlugin, WorkflowPluginConfig
from myapp.{module} import make_engine

def create_app() -> Litestar:
    return Litestar(plugins=[WorkflowPlugin(WorkflowPluginConfig(engine=make_engine(), allow_anonymous=True))])
"""
RUN = """
import asyncio
from myapp.{module} import run_instances

print(asyncio.run(run_instances({arguments})))
"""


class Application:
    """The application ``myapp`` in a directory, with processes that are killed at the end."""

    def __init__(self, directory: Path, broker: str) -> None:
        self.directory = directory
        self.processes: list[subprocess.Popen[bytes]] = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        own = {"DATABASE_URL": "sqlite:///myapp.db", "REDIS_URL": broker, "BROKER_URL": broker}
        self.environment = {**os.environ, **own, "LITESTAR_PORT": str(self.port), "PYTHONPATH": str(directory)}

    def make(self, example: str, module: str) -> None:
        package = self.directory / "myapp"
        package.mkdir()
        (package / "__init__.py").touch()
        (package / f"{module}.py").write_bytes((EXAMPLES / f"{example}.py").read_bytes())
        (package / "web.py").write_text(WEB.format(module=module))
        self.run_instances = RUN.format(module=module, arguments="'Ada'" if example == "on_arq" else "2")

    def start(self, command: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start what belongs to the installed packages, by its name."""
        program, *arguments = shlex.split(command)
        process = subprocess.Popen(
            [Path(sys.executable).parent / Path(program).name, *arguments],
            cwd=self.directory,
            env={**self.environment, **environment},
        )
        self.processes.append(process)
        return process

    def answers(self, web: subprocess.Popen[bytes]) -> None:
        """Wait until the web process serves the API."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            assert web.poll() is None
            assert time.monotonic() < deadline
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/workflows/api/definitions") as answer:
                    assert answer.status == 200
                    return
            except URLError:
                time.sleep(0.1)

    def work(self) -> None:
        """Let another process start workflows, and wait for them."""
        subprocess.run(
            [sys.executable, "-c", self.run_instances],
            cwd=self.directory,
            env=self.environment,
            check=True,
            timeout=PATIENCE_S,
        )

    def ends(self, *workers: subprocess.Popen[bytes]) -> None:
        """Tell workers to end, and see them do so in good order."""
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        assert [worker.wait(DRAIN_S) for worker in workers] == [0] * len(workers)


@pytest.fixture
def application(tmp_path: Path, redis_service: RedisServer) -> Generator[Application]:
    made = Application(tmp_path, redis_service.database_url(3))
    yield made
    for process in made.processes:
        process.kill()
        process.wait()


def services(compose: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(compose.read_text(encoding="utf-8"))["services"]
    return found


def ours(compose: Path) -> dict[str, dict[str, Any]]:
    """The services that run our code; the others are servers."""
    return {name: service for name, service in services(compose).items() if "command" in service}


@pytest.mark.parametrize("compose", COMPOSE, ids=lambda path: path.stem)
def test_every_service_waits_for_what_it_needs_and_is_started_again(compose: Path) -> None:
    found = services(compose)
    for name, service in found.items():
        assert service["restart"] == ("no" if name == "migrate" else "always")
        for other, wanted in service.get("depends_on", {}).items():
            ends = found[other]["restart"] == "no"
            assert wanted["condition"] == ("service_completed_successfully" if ends else "service_healthy")
            assert ends or found[other]["healthcheck"]["test"][0] == "CMD"
    for name, service in ours(compose).items():
        needed = {"redis", "migrate"} if "REDIS_URL" in service["environment"] else {"migrate"}
        assert set(service["depends_on"]) == ({"db"} if name == "migrate" else needed)


@pytest.mark.parametrize("compose", COMPOSE, ids=lambda path: path.stem)
def test_the_database_lets_its_user_in_and_is_kept(compose: Path) -> None:
    whole, database = yaml.safe_load(compose.read_text(encoding="utf-8")), services(compose)["db"]
    user, password = database["environment"]["POSTGRES_USER"], database["environment"]["POSTGRES_PASSWORD"]
    for service in ours(compose).values():
        url = urlsplit(service["environment"]["DATABASE_URL"].replace(password, "secret"))
        assert (url.hostname, url.username, url.password, url.path) == ("db", user, "secret", f"/{user}")
    volume, _, directory = database["volumes"][0].partition(":")
    assert volume in whole["volumes"]
    assert directory == "/var/lib/postgresql"  # since the image of version 18


@pytest.mark.parametrize("compose", COMPOSE, ids=lambda path: path.stem)
def test_workers_have_longer_to_end_than_they_wait_for_their_steps(compose: Path) -> None:
    found = ours(compose)
    graces = [service["stop_grace_period"] for name, service in found.items() if name not in {"migrate", "web"}]
    assert graces
    assert all(float(grace.removesuffix("s")) >= DRAIN_S + 10 for grace in graces)


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(EXAMPLES / "workflows-worker@.service", encoding="utf-8")
    return parser


def test_systemd_waits_longer_than_workers_do_and_does_not_give_up_while_a_server_is_away() -> None:
    assert float(unit()["Service"]["TimeoutStopSec"]) >= DRAIN_S + 10
    assert unit()["Service"]["Restart"] == "always"
    assert unit()["Unit"]["StartLimitIntervalSec"] == "0"


def started_by_systemd(kind: str) -> str:
    """What the page about task queues puts in the place of the unit's own command."""
    page = (DOCS / "how-to" / "run-on-a-task-queue.md").read_text(encoding="utf-8")
    (command,) = re.findall(rf"^\| {kind} \| `ExecStart=(.+?)` \|$", page, re.MULTILINE)
    return str(command).replace("%i", "1").replace("%%", "%")


def test_plain_workers_and_the_web_process_work_together(application: Application) -> None:
    application.make("workers", "engine")
    found = ours(EXAMPLES / "compose.workers.yaml")
    engine = found["worker"]["environment"]["WORKFLOWS_ENGINE"]
    assert application.start(found["migrate"]["command"], WORKFLOWS_ENGINE=engine).wait(PATIENCE_S) == 0
    web = application.start(found["web"]["command"])
    workers = [
        application.start(found["worker"]["command"], WORKFLOWS_ENGINE=engine),
        application.start(unit()["Service"]["ExecStart"]),
    ]
    application.answers(web)
    application.work()
    application.ends(*workers)


def test_workers_of_saq_work_together(application: Application) -> None:
    application.make("on_saq", "worker")
    found = ours(EXAMPLES / "compose.task_queue.yaml")
    engine = found["worker"]["environment"]["WORKFLOWS_ENGINE"]
    assert application.start(found["migrate"]["command"], WORKFLOWS_ENGINE=engine).wait(PATIENCE_S) == 0
    workers = [application.start(command) for command in (started_by_systemd("SAQ"), found["reports"]["command"])]
    application.work()
    application.ends(*workers)
    assert started_by_systemd("SAQ").endswith(f"/bin/{found['worker']['command']}")
    assert found["web"]["command"] == ours(EXAMPLES / "compose.workers.yaml")["web"]["command"]


@pytest.mark.parametrize(("kind", "example"), [("Celery", "on_celery"), ("ARQ", "on_arq")])
def test_a_worker_of_another_task_queue_does_the_work(kind: str, example: str, application: Application) -> None:
    application.make(example, "worker")
    schema.upgrade_sync(f"sqlite+aiosqlite:///{application.directory / 'myapp.db'}")
    worker = application.start(started_by_systemd(kind))
    application.work()
    application.ends(worker)
