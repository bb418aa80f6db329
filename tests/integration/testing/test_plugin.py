"""The pytest plugin, met as its users meet it: in runs of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent

import pytest

from workflows_testing.servers.discovery import POSTGRES, REDIS

DEADLINE_S = 60.0
SETTINGS = ("CI", "WORKFLOWS_TEST_REQUIRE_SERVICES", "WORKFLOWS_TEST_SOURCE", POSTGRES.url_variable, REDIS.url_variable)


class Project:
    """A directory with tests, and runs of pytest in it that know nothing of ours."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "pytest.ini").write_text("[pytest]\n")

    def write(self, name: str, text: str) -> None:
        (self.directory / name).write_text(dedent(text))

    def start(self, *options: str, **environment: str) -> subprocess.Popen[str]:
        kept = {name: value for name, value in os.environ.items() if name not in SETTINGS and "XDIST" not in name}
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", "workflows_testing", "-p", "xdist", *options],
            cwd=self.directory,
            env={
                **kept,
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                **environment,
            },  # the entry points of others take seconds
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *options: str, **environment: str) -> tuple[int, str]:
        with self.start(*options, **environment) as run:
            output, _ = run.communicate(timeout=DEADLINE_S)
        return run.returncode, output


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def no_server(tmp_path: Path) -> dict[str, str]:
    """An environment in which no Redis can be found: nothing on PATH, and the wheel is not asked."""
    return {"PATH": str(tmp_path), "WORKFLOWS_TEST_SOURCE": "system"}


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


USES_REDIS = "def test_redis(redis_service): pass"


def test_a_missing_server_is_a_skip_with_its_reason(project: Project, no_server: dict[str, str]) -> None:
    project.write("test_it.py", USES_REDIS)
    code, output = project.run("-rs", CI="false", **no_server)
    assert code == 0, output
    assert "1 skipped" in output
    assert "redis=none" in output
    assert "no Redis or Valkey for the tests (searched: environment, system)" in output


@pytest.mark.parametrize("variable", ["CI", "WORKFLOWS_TEST_REQUIRE_SERVICES"])
def test_a_missing_server_is_a_failure_where_servers_are_required(
    project: Project, no_server: dict[str, str], variable: str
) -> None:
    project.write("test_it.py", USES_REDIS)
    code, output = project.run(**{variable: "true"}, **no_server)
    assert code == 1, output
    assert "1 error" in output
    assert "no server is skipped" in output


def test_an_unknown_source_stops_the_run(project: Project) -> None:
    project.write("test_it.py", USES_REDIS)
    code, output = project.run(WORKFLOWS_TEST_SOURCE="nearby")
    assert code == pytest.ExitCode.USAGE_ERROR, output
    assert "WORKFLOWS_TEST_SOURCE='nearby' is unknown" in output


def test_the_header_names_the_servers_and_the_driver_is_not_loaded_for_it(project: Project) -> None:
    project.write("test_it.py", "import sys\ndef test_it(): assert 'psycopg' not in sys.modules")
    code, output = project.run(**{POSTGRES.url_variable: "postgresql://me:secret@host/db"})
    assert code == 0, output
    assert "workflows servers: postgres=environment, redis=" in output
    assert "secret" not in output


MODULE = """
    import json, os, pathlib, psycopg

    def test_it(postgres_database, postgres_service, redis_service, redis_url, redis_key_prefix):
        with psycopg.connect(postgres_database.url) as connection:
            assert connection.execute("SELECT count(*) FROM prepared").fetchone() == (0,)
            connection.execute("INSERT INTO prepared VALUES (1)")
        pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(
            [postgres_database.name, postgres_service.url, redis_url, redis_key_prefix]
        ))
    """
CONFTEST = """
    import os, psycopg, pytest

    def create_table(database):
        print(f"prepared by process {os.getpid()}")
        with psycopg.connect(database.url) as connection:
            connection.execute("CREATE TABLE prepared (id int)")

    @pytest.fixture(scope="session")
    def prepare_postgres_template():
        return create_table
    """


@pytest.mark.parametrize("processes", [1, 2])
def test_each_module_has_its_database_and_each_process_its_servers(project: Project, processes: int) -> None:
    project.write("conftest.py", CONFTEST)
    project.write("test_one.py", MODULE)
    project.write("test_two.py", MODULE)
    options = ("-n", "2", "--dist", "loadfile") if processes == 2 else ("-s",)
    code, output = project.run(*options)
    assert code == 0, output
    one, two = (json.loads((project.directory / f"test_{name}.json").read_text()) for name in ("one", "two"))
    database, postgres_url, redis_url, prefix = (len({a, b}) for a, b in zip(one, two, strict=True))
    assert (database, prefix) == (2, 2)
    assert (postgres_url, redis_url) == (processes, processes)
    if processes == 1:
        assert output.count("prepared by process") == 1


def test_processes_that_share_a_redis_use_databases_of_their_own(project: Project) -> None:
    test = """
        import pathlib, time

        def test_it(redis_url):
            pathlib.Path(__file__).with_suffix(".url").write_text(redis_url)
        """
    project.write("test_one.py", test)
    project.write("test_two.py", test)
    code, output = project.run("-n", "2", "--dist", "loadfile", **{REDIS.url_variable: "redis://host:1/4"})
    assert code == 0, output
    urls = {path.read_text() for path in project.directory.glob("*.url")}
    assert urls == {"redis://host:1/4", "redis://host:1/5"}


@pytest.mark.skipif(sys.platform == "win32", reason="servers are started on POSIX systems only")
def test_a_killed_run_leaves_neither_server_nor_files(project: Project) -> None:
    project.write(
        "test_it.py",
        """
        import json, multiprocessing, pathlib, time

        def test_it(postgres_service, redis_service):
            # A forked child inherits every open file, also the pipe by which the supervisors know that we live.
            multiprocessing.get_context("fork").Process(target=time.sleep, args=(5,)).start()
            servers = (postgres_service, redis_service)
            held = {"pids": [server.pid for server in servers], "homes": [str(server.data_directory) for server in servers]}
            pathlib.Path("held.tmp").write_text(json.dumps(held))
            pathlib.Path("held.tmp").rename("held.json")
            time.sleep(60)
        """,
    )
    held_file = project.directory / "held.json"
    run = project.start()
    try:
        deadline = time.monotonic() + DEADLINE_S
        while not held_file.exists():
            assert run.poll() is None, run.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()
        if run.stdout is not None:
            run.stdout.close()
    held = json.loads(held_file.read_text())
    deadline = time.monotonic() + 5
    while any(map(is_running, held["pids"])) or any(Path(home).exists() for home in held["homes"]):
        assert time.monotonic() < deadline, f"left behind: {held}"
        time.sleep(0.02)


SEEDS = """
    def test_it(simulation_seeds):
        assert False, f"{list(simulation_seeds)} {simulation_seeds.repeat(7)}"
"""


@pytest.mark.parametrize(
    ("options", "environment", "seeds"),
    [
        (["--simulation-seeds=3"], {}, "[0, 1, 2]"),
        (["--simulation-seeds=5:7"], {"WORKFLOWS_SIMULATION_SEEDS": "9"}, "[5, 6]"),
        ([], {"WORKFLOWS_SIMULATION_SEEDS": "1"}, "[0]"),
    ],
)
def test_the_seeds_of_simulations_come_from_the_option_or_the_environment(
    project: Project, options: list[str], environment: dict[str, str], seeds: str
) -> None:
    project.write("test_it.py", SEEDS)
    code, output = project.run(*options, **environment)
    assert code == 1
    assert f"{seeds} pytest test_it.py::test_it --simulation-seeds=7:8" in output


def test_seeds_that_are_none_are_refused(project: Project) -> None:
    project.write("test_it.py", SEEDS)
    code, output = project.run("--simulation-seeds=many")
    assert code != 0
    assert "seeds are given as a number (300) or as a range (5000:6000), not as 'many'" in output


def test_a_rule_keeps_its_patience_under_a_shorter_limit(project: Project) -> None:
    project.write(
        "test_rule.py",
        """
        import time, pytest

        class TestRule:
            patience_s = 1.0

            @pytest.mark.patience("patience_s")
            def test_it(self): time.sleep(self.patience_s)
        """,
    )
    code, output = project.run("-p", "timeout", "--timeout=0.3")
    assert code == 0, output
    code, output = project.run("--strict-markers")
    assert code == 0, output


def test_the_limit_of_a_long_rule_of_executors_follows_from_how_long_the_rule_waits(project: Project) -> None:
    project.write(
        "conftest.py",
        """
        def pytest_collection_finish(session):
            for item in session.items:
                if limit := item.get_closest_marker("timeout"):
                    print(item.cls.__name__, item.name, *limit.args)
        """,
    )
    project.write(
        "test_executor.py",
        """
        from workflows_testing.conformance import ExecutorDeploymentConformance

        class TestSmall(ExecutorDeploymentConformance): pass

        class TestLarge(ExecutorDeploymentConformance):
            flood = 10_000
            patience_s = 30.0
        """,
    )
    code, output = project.run("-p", "timeout", "-p", "asyncio", "--collect-only", "-q", WORKFLOWS_TEST_KILLS="40")
    assert code == 0, output
    flood, kills = "test_a_flood_of_starts_drains", "test_workers_that_are_killed_again_and_again_lose_nothing"
    limits = [line.split() for line in output.splitlines() if line.startswith(("TestSmall ", "TestLarge "))]
    assert sorted((of, rule, float(limit)) for of, rule, limit in limits) == [
        ("TestLarge", flood, 2 * 200 + 120),
        ("TestLarge", kills, 2 * 40 * 30 + 120),
        ("TestSmall", flood, 2 * 20 + 120),
        ("TestSmall", kills, 2 * 40 * 20 + 120),
    ]
