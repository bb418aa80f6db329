"""The handle of a server: where it is, and, if the tests started it, how to stop and restart it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from workflows_testing.servers.discovery import FoundServer, Service, Source
from workflows_testing.servers.errors import ServerNotOwnedError
from workflows_testing.servers.process import ServerProcess, StopMode


class Server:
    """A reachable server.

    Args:
        service: The kind of server.
        found: Where it came from.
        url: Its URL.
        process: The process, if the tests started it.
        data_directory: Where that process keeps its data.
    """

    def __init__(
        self,
        *,
        service: Service,
        found: FoundServer,
        url: str,
        process: ServerProcess | None = None,
        data_directory: Path | None = None,
    ) -> None:
        self._service = service
        self._found = found
        self._url = url
        self._process = process
        self._data_directory = data_directory

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._found}>"

    @property
    def url(self) -> str:
        """URL to connect to, with a database in it; it stays the same over restarts."""
        return self._url

    @property
    def source(self) -> Source:
        """Where the server comes from: ``environment``, ``system`` or ``embedded``."""
        return self._found.source

    @property
    def program(self) -> Path | None:
        """The executable that was started; None if the server comes from the environment."""
        return self._found.program

    @property
    def owned(self) -> bool:
        """Whether the tests started this server, and so may stop it and look at its files."""
        return self._process is not None

    @property
    def pid(self) -> int | None:
        """Process id of the server; None while it does not run.

        Raises:
            ServerNotOwnedError: The server comes from the environment.
        """
        return self._owned_process("tell the pid of").pid

    @property
    def data_directory(self) -> Path:
        """Where the server keeps its data; erased when the server's context ends.

        Raises:
            ServerNotOwnedError: The server comes from the environment.
        """
        self._owned_process("tell the data directory of")
        assert self._data_directory is not None
        return self._data_directory

    def stop(self, *, immediate: bool = False) -> None:
        """Stop the server and wait until it is gone; its data stay. Nothing happens if it is stopped.

        Args:
            immediate: As in a crash: connections break, nothing is written any more.

        Raises:
            ServerNotOwnedError: The server comes from the environment.
        """
        self._owned_process("stop").stop("immediate" if immediate else "fast")

    def start(self) -> None:
        """Start the stopped server again on its data and port, and wait until it is ready.

        Raises:
            ServerNotOwnedError: The server comes from the environment.
            ServerStartError: It did not become ready.
        """
        self._owned_process("start").start()

    def restart(self, mode: StopMode = "immediate") -> None:
        """Stop and start the server. Call it from a thread where an event loop must not wait for it.

        Args:
            mode: ``"immediate"`` is a crash and a recovery; ``"fast"`` shuts down in good order.

        Raises:
            ServerNotOwnedError: The server comes from the environment.
            ServerStartError: It did not become ready again.
        """
        process = self._owned_process("restart")
        process.stop(mode)
        process.start()

    def _owned_process(self, operation: str) -> ServerProcess:
        if self._process is None:
            raise ServerNotOwnedError(operation, self._service.url_variable)
        return self._process


def with_path(url: str, path: str) -> str:
    """Return ``url`` with another path, which is how both kinds of servers name a database."""
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}/{path}{query}"
