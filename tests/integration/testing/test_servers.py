from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from workflows_testing.servers import PostgresServer, RedisServer, Server, ServerStartError, postgres, redis
from workflows_testing.servers.discovery import POSTGRES, REDIS, Service

DEADLINE_S = 20.0


@pytest.fixture(params=["system", "embedded"])
def source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    name: str = request.param
    monkeypatch.setenv("WORKFLOWS_TEST_SOURCE", name)
    for service in (POSTGRES, REDIS):
        monkeypatch.delenv(service.url_variable, raising=False)
        if name == "system" and service.system() is None:
            install(service, tmp_path / "bin", monkeypatch)
    return name


def install(service: Service, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the program of the wheel where programs of the system are looked for."""
    program = service.embedded()
    assert program is not None
    directory.mkdir(exist_ok=True)
    (directory / program.name).symlink_to(program)
    monkeypatch.setenv("PATH", str(directory), prepend=os.pathsep)


def eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.02)


def accepts_connections(url: str) -> bool:
    parts = urlsplit(url)
    with contextlib.suppress(OSError), socket.create_connection((parts.hostname or "", parts.port or 0), timeout=1):
        return True
    return False


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def command(server: RedisServer, *words: str) -> bytes:
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5) as connection:
        connection.sendall(" ".join(words).encode() + b"\r\n")
        return connection.recv(1000).strip()


def pid_of(server: Server) -> int:
    assert server.pid is not None
    return server.pid


def test_postgres_starts_from_each_source_and_leaves_nothing(source: str) -> None:
    with postgres() as server:
        assert isinstance(server, PostgresServer)
        assert server.source == source
        assert server.owned
        pid, home = pid_of(server), server.data_directory.parent
        with psycopg.connect(server.url) as connection:
            assert connection.execute("SELECT current_setting('is_superuser')").fetchone() == ("on",)
        assert (server.data_directory / "PG_VERSION").exists()
    assert not is_running(pid)
    assert not home.exists()
    server.stop()


def test_redis_starts_from_each_source_and_leaves_nothing(source: str) -> None:
    with redis() as server:
        assert isinstance(server, RedisServer)
        assert server.source == source
        pid, home = pid_of(server), server.data_directory
        assert command(server, "PING") == b"+PONG"
    assert not is_running(pid)
    assert not home.exists()


def test_a_durable_postgres_waits_for_the_disk_and_takes_more_settings(source: str) -> None:
    with postgres(durable=True, settings={"work_mem": "7MB"}) as server, psycopg.connect(server.url) as connection:
        for setting, value in {
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "work_mem": "7MB",
        }.items():
            assert connection.execute("SELECT current_setting(%s)", [setting]).fetchone() == (value,)


def test_commits_survive_an_immediate_restart_also_without_durability(source: str) -> None:
    with postgres() as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            assert connection.execute("SHOW fsync").fetchone() == ("off",)
            connection.execute("CREATE TABLE kept (id int)")
            for number in range(50):
                connection.execute("INSERT INTO kept VALUES (%s)", [number])
            before, url = server.pid, server.url
            server.restart()
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
        assert server.pid != before
        assert server.url == url
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (50,)
        log = (server.data_directory.parent / "server.log").read_text()
        assert "was not properly shut down" in log


def test_a_fast_restart_shuts_down_in_good_order(source: str) -> None:
    with postgres() as server:
        server.restart("fast")
        log = (server.data_directory.parent / "server.log").read_text()
        assert "was not properly shut down" not in log


def test_a_stopped_server_is_away_until_it_is_started(source: str) -> None:
    with postgres() as server:
        server.stop(immediate=True)
        server.stop()
        assert server.pid is None
        assert not accepts_connections(server.url)
        server.start()
        server.start()
        psycopg.connect(server.url).close()


def test_a_server_that_somebody_killed_can_be_started_again(source: str) -> None:
    with postgres() as server:
        killed = pid_of(server)
        os.kill(killed, signal.SIGKILL)
        eventually(lambda: server.pid is None, "the death of the server is noticed")
        server.start()
        assert server.pid not in {None, killed}
        psycopg.connect(server.url).close()


def test_only_a_durable_redis_remembers_over_a_restart(source: str) -> None:
    with redis() as server:
        assert command(server, "SET", "key", "value") == b"+OK"
        server.restart()
        assert command(server, "GET", "key") == b"$-1"
    with redis(durable=True) as server:
        assert command(server, "SET", "key", "value") == b"+OK"
        server.restart()
        assert command(server, "GET", "key") == b"$5\r\nvalue"


def test_a_server_restarted_by_a_thread_outlives_that_thread(source: str) -> None:
    with redis() as server:
        thread = threading.Thread(target=server.restart)
        thread.start()
        thread.join()
        time.sleep(0.2)  # the kernel would have had ample time to end a child of the thread
        assert command(server, "PING") == b"+PONG"


@pytest.fixture
def temporary_files(monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """The directory in which the servers make theirs; not below `tmp_path`, which an unprivileged account may not enter."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        monkeypatch.setattr(tempfile, "tempdir", name)
        yield directory


def test_a_failed_start_shows_the_log_and_leaves_nothing(source: str, temporary_files: Path) -> None:
    with (
        pytest.raises(ServerStartError, match="unrecognized configuration parameter"),
        postgres(settings={"nonsense": "1"}),
    ):
        pass
    assert list(temporary_files.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
def test_a_server_does_not_outlive_its_supervisor(source: str) -> None:
    with postgres() as server:
        pid = pid_of(server)
        supervisor = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        assert supervisor != os.getpid()
        os.kill(supervisor, signal.SIGKILL)
        eventually(lambda: not is_running(pid), "the server of a killed supervisor is gone")
