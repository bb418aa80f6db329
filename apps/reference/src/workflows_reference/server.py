"""Serves the demo: listens first, then gets the database ready, and only then answers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Final

import uvicorn

from workflows_reference.asgi import create_app
from workflows_reference.errors import DemoStartError
from workflows_reference.ioc import make_container
from workflows_reference.local_worker import LocalWorker
from workflows_reference.preparation import prepare
from workflows_reference.settings import Settings

__all__ = ["listen", "serve"]

_BACKLOG: Final = 128
_CLOSE_S: Final = 5


def listen(settings: Settings) -> tuple[socket.socket, Settings]:
    """Take the address to listen on; nothing is answered there yet.

    Returns:
        The socket, and the settings with the port that it has.

    Raises:
        DemoStartError: The address cannot be had.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # IPPROTO_TCP: without it asyncio does not know the protocol, leaves Nagle's algorithm on, and each answer waits 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        what = f"cannot listen on {settings.host}:{settings.port}"
        reason = error.strerror or str(error)
        raise DemoStartError(
            what, reason, "stop what uses the port, or choose another: workflows-demo --port 8001"
        ) from error
    return listener, replace(settings, port=int(listener.getsockname()[1]))


async def serve(
    settings: Settings,
    listener: socket.socket,
    *,
    when_ready: Callable[[Settings], None],
    until: asyncio.Event | None = None,
) -> None:
    """Serve until the process is told to stop.

    Args:
        settings: Settings, with the port of the listener.
        listener: From `listen`; closed at the end.
        when_ready: Called when requests are answered.
        until: Ends the serving when it is set; then signals are left to the caller. None obeys SIGINT and SIGTERM.

    Raises:
        DemoStartError: The database cannot be used, or the application did not start.
    """
    with contextlib.closing(listener):
        container = make_container(settings)
        try:
            await prepare(container)
            worker = await container.get(LocalWorker) if settings.run_worker else None

            def ready() -> None:
                if (
                    worker is not None
                ):  # not before signals are heard: a step that one cuts off runs again only after its lease
                    worker.start(concurrency=settings.concurrency)
                when_ready(settings)

            app = create_app(container)
            config = uvicorn.Config(
                app, lifespan="on", log_level="warning", timeout_graceful_shutdown=_CLOSE_S, server_header=False
            )
            server = _Server(config, ready, obeys_signals=until is None)
            stopping = asyncio.create_task(_stop_when(until, server)) if until is not None else None
            await server.serve(sockets=[listener])
            if stopping is not None:
                stopping.cancel()
        finally:
            await container.close()
    if not server.started:
        raise DemoStartError("the application did not start", "its log is above", "mend what it says")


async def _stop_when(until: asyncio.Event, server: uvicorn.Server) -> None:
    await until.wait()
    server.should_exit = True


class _Server(uvicorn.Server):
    """uvicorn, which says when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], *, obeys_signals: bool) -> None:
        super().__init__(config)
        self._ready = ready
        self._obeys_signals = obeys_signals

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Handle signals only where the process is ours."""
        if self._obeys_signals:
            with super().capture_signals():
                yield
        else:
            yield
