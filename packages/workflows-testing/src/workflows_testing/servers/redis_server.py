"""A real server of the Redis protocol (Redis or Valkey) for tests."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Generator
from typing import Final
from urllib.parse import urlsplit

from workflows_testing.servers.discovery import REDIS
from workflows_testing.servers.process import ServerProgram, start_on_free_port, temporary_home
from workflows_testing.servers.server import Server, with_path

EPHEMERAL_OPTIONS: Final = ("--appendonly", "no")
DURABLE_OPTIONS: Final = ("--appendonly", "yes", "--appendfsync", "always")
ANSWER_TIMEOUT_S: Final = 1.0


class RedisServer(Server):
    """A server of the Redis protocol; its URL names the first database that tests may use."""

    def database_url(self, number: int) -> str:
        """Return the URL of the database ``number`` places after the one in the server's own URL.

        Servers have 16 databases unless configured otherwise; past the last one, connecting fails.
        """
        first = urlsplit(self.url).path.strip("/") or "0"
        return with_path(self.url, str(int(first) + number))


@contextlib.contextmanager
def redis(*, durable: bool = False, own: bool = False) -> Generator[RedisServer]:
    """Yield a Redis-protocol server: the one of ``WORKFLOWS_TEST_REDIS_URL``, or a new one, which is erased at the end.

    A new server listens on 127.0.0.1 only, without a password, and ends with this process, also if it is killed.

    Args:
        durable: Each write waits for the disk and survives a restart. Without it a restart loses everything, which is what a test of lost
            messages wants. A server from the environment keeps its settings.
        own: Start a new one also where the environment names a server; for tests that stop it.

    Raises:
        ServiceUnavailableError: There is nothing to connect to and nothing to start.
        ServerStartError: The server did not become ready; the message ends with its log.
    """
    found = REDIS.find(own=own)
    if found.program is None:
        yield RedisServer(service=REDIS, found=found, url=found.url or "")
        return
    command = [str(found.program), "--bind", "127.0.0.1", "--save", "", "--daemonize", "no"]
    command += DURABLE_OPTIONS if durable else EPHEMERAL_OPTIONS
    with temporary_home("workflows-redis-", None) as home:

        def on_port(port: int) -> ServerProgram:
            return ServerProgram(
                command=[*command, "--dir", str(home), "--port", str(port)],
                home=home,
                account=None,
                signals={"fast": signal.SIGTERM, "immediate": signal.SIGKILL},
                is_ready=lambda pid: _is_ready(port, pid),
            )

        process, port = start_on_free_port(on_port)
        try:
            yield RedisServer(
                service=REDIS, found=found, url=f"redis://127.0.0.1:{port}/0", process=process, data_directory=home
            )
        finally:
            process.stop("immediate")


def _is_ready(port: int, pid: int) -> bool:
    """Ask the server who it is: another process may have taken the port, and its answer would mislead us."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_TIMEOUT_S) as connection:
            connection.sendall(b"INFO\r\n")
            with connection.makefile("rb") as answer:
                size = answer.readline()
                if not size.startswith(b"$"):
                    return False
                lines = answer.read(int(size[1:])).splitlines()
    except OSError:
        return False
    return b"process_id:%d" % pid in lines and b"loading:0" in lines
