from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from workflows_testing.servers import (
    InvalidSourceError,
    ServerError,
    ServerNotOwnedError,
    ServerStartError,
    ServiceUnavailableError,
    postgres,
    redis,
)
from workflows_testing.servers.discovery import POSTGRES, REDIS, Service


def service(system: Path | None, embedded: Path | None) -> Service:
    return Service("Server", "WORKFLOWS_TEST_SERVER_URL", "wheel", "server", lambda: system, lambda: embedded)


BOTH = service(Path("/usr/bin/server"), Path("/wheel/server"))
NONE = service(None, None)


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("SOURCE", "SERVER_URL", "POSTGRES_URL", "REDIS_URL"):
        monkeypatch.delenv(f"WORKFLOWS_TEST_{variable}", raising=False)


def test_an_installed_program_is_taken_before_the_embedded_one() -> None:
    found = BOTH.find()
    assert (found.source, found.program) == ("system", Path("/usr/bin/server"))
    assert str(found) == "system (/usr/bin/server)"


def test_the_embedded_program_is_taken_if_none_is_installed() -> None:
    assert service(None, Path("/wheel/server")).find().source == "embedded"


@pytest.mark.parametrize("source", ["system", "embedded"])
def test_the_search_can_be_narrowed_to_one_source(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKFLOWS_TEST_SOURCE", source)
    assert BOTH.find().source == source


def test_a_source_nobody_knows_is_refused_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKFLOWS_TEST_SOURCE", "nearby")
    with pytest.raises(InvalidSourceError, match="'nearby' is unknown; use 'system' or 'embedded'"):
        BOTH.find()


def test_a_url_wins_over_every_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKFLOWS_TEST_SERVER_URL", "server://somewhere")
    monkeypatch.setenv("WORKFLOWS_TEST_SOURCE", "embedded")
    found = BOTH.find()
    assert (found.source, found.url, found.program) == ("environment", "server://somewhere", None)
    assert "somewhere" not in str(found), "it may hold a password"


def test_a_server_of_ones_own_is_never_the_one_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKFLOWS_TEST_SERVER_URL", "server://somewhere")
    assert BOTH.find(own=True).source == "system"
    with pytest.raises(ServiceUnavailableError) as caught:
        NONE.find(own=True)
    assert caught.value.searched == ("system", "embedded")
    assert "set WORKFLOWS_TEST_SERVER_URL" not in str(caught.value)


def test_the_error_of_an_empty_search_says_how_to_mend_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ServiceUnavailableError) as caught:
        NONE.find()
    assert caught.value.searched == ("environment", "system", "embedded")
    for remedy in ("set WORKFLOWS_TEST_SERVER_URL", "install server", "pip install 'workflows-testing[servers]'"):
        assert remedy in str(caught.value)
    monkeypatch.setenv("WORKFLOWS_TEST_SOURCE", "embedded")
    with pytest.raises(ServiceUnavailableError) as caught:
        NONE.find()
    assert caught.value.searched == ("environment", "embedded")


def test_nothing_is_found_where_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("WORKFLOWS_TEST_SOURCE", "system")
    with pytest.raises(ServiceUnavailableError, match="no Redis or Valkey"):
        REDIS.find()
    monkeypatch.setattr("workflows_testing.servers.discovery.DEBIAN_POSTGRES", Path("/nonexistent"))
    with pytest.raises(ServiceUnavailableError, match="no PostgreSQL"):
        POSTGRES.find()


def test_the_newest_of_debians_versions_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("9", "15", "18", "old"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "postgres").touch()
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("workflows_testing.servers.discovery.DEBIAN_POSTGRES", tmp_path)
    assert POSTGRES.find().program == tmp_path / "18" / "bin" / "postgres"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:secret@host:1/given?sslmode=require",
        "postgresql+asyncpg://me:secret@host:1/given?sslmode=require",
    ],
)
def test_a_postgres_url_is_taken_in_both_spellings(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKFLOWS_TEST_POSTGRES_URL", url)
    with postgres() as server:
        assert server.url == "postgresql://me:secret@host:1/given?sslmode=require"
        assert server.database_url("a/b") == "postgresql://me:secret@host:1/a%2Fb?sslmode=require"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://:secret@host:1", "redis://:secret@host:1/2"),
        ("redis://host:1/", "redis://host:1/2"),
        ("rediss://host:1/3?protocol=3", "rediss://host:1/5?protocol=3"),
    ],
)
def test_redis_databases_are_counted_from_that_of_the_url(
    url: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKFLOWS_TEST_REDIS_URL", url)
    with redis() as server:
        assert server.database_url(2) == expected


@pytest.mark.parametrize("operation", ["start", "stop", "restart", "pid", "data_directory"])
def test_a_server_from_the_environment_is_not_ours_to_stop(operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKFLOWS_TEST_POSTGRES_URL", "postgresql://me:secret@host:1/given")
    with postgres() as server:
        assert not server.owned
        with pytest.raises(ServerNotOwnedError, match="named by WORKFLOWS_TEST_POSTGRES_URL") as caught:
            result = getattr(server, operation)
            result()
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(server)


@pytest.mark.parametrize(
    "error",
    [
        InvalidSourceError("nearby"),
        ServerNotOwnedError("stop", "WORKFLOWS_TEST_REDIS_URL"),
        ServerStartError(Path("/usr/bin/server"), "it ended", "the log"),
        ServiceUnavailableError("Server", "WORKFLOWS_TEST_SERVER_URL", "server", "wheel", ("system",)),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_survive_pickling(error: ServerError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), vars(copy), str(copy)) == (type(error), vars(error), str(error))


def test_importing_the_plugin_loads_no_server_and_no_driver() -> None:
    program = "import sys, workflows_testing.plugin; print([name for name in sys.modules if 'servers' in name or 'psycopg' in name])"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"
