"""An address before a server of databases that leads nowhere until it is told to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tests.integration.sqlalchemy.cutting_proxy import CuttingProxy

__all__ = ["Door", "door_before"]


class Door:
    """Refuses connections at first; after `keep_waiting` it takes them and says nothing, after `open` it leads to the server.

    Attributes:
        url: The URL of the database by way of it.
    """

    def __init__(self, url: str, here: socket.socket) -> None:
        parts = urlsplit(url)
        userinfo, at, _ = parts.netloc.rpartition("@")
        self.url = parts._replace(netloc=f"{userinfo}{at}127.0.0.1:{here.getsockname()[1]}").geturl()
        self._here = here
        self._way = CuttingProxy(parts.hostname or "127.0.0.1", parts.port or 5432)
        self._server: asyncio.Server | None = None

    def keep_waiting(self) -> None:
        self._here.listen()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._way.accept, sock=self._here)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._way.stop()


@asynccontextmanager
async def door_before(url: str) -> AsyncGenerator[Door]:
    """Be there until the end of the block."""
    with socket.socket() as here:
        here.bind(("127.0.0.1", 0))
        door = Door(url, here)
        try:
            yield door
        finally:
            await door.close()
