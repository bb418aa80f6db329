"""A proxy before a database server, that can lose requests and answers by cutting the connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Literal

__all__ = ["CuttingProxy", "Moment", "cutting_proxy"]

Moment = Literal["request", "answer", "under way"]
"""What is lost: a request, before it reaches the server; its answer; or the connection while the server is at work."""


class CuttingProxy:
    """Forwards connections to a server.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        cuts: How many connections it has cut.
    """

    def __init__(self, host: str, port: int) -> None:
        self.port = 0
        self.cuts = 0
        self._server = host, port
        self._moment: Moment | None = None
        self._left = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def cut(self, moment: Moment, *, times: int = 1) -> None:
        """Cut the next connections that are used, each at a moment of its next request."""
        self._moment, self._left = moment, times

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        from_server, to_server = await asyncio.open_connection(*self._server)
        doomed = asyncio.Event()
        ends = [
            asyncio.create_task(self._forward(reader, to_server, doomed)),
            asyncio.create_task(self._back(from_server, writer, doomed)),
        ]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
            await asyncio.gather(*ends, return_exceptions=True)
            for stream in (writer, to_server):
                stream.close()
                with suppress(OSError):
                    await stream.wait_closed()

    async def _forward(
        self, reader: asyncio.StreamReader, to_server: asyncio.StreamWriter, doomed: asyncio.Event
    ) -> None:
        while data := await reader.read(65536):
            if self._left and not doomed.is_set():
                self._left -= 1
                self.cuts += 1
                doomed.set()
                if self._moment == "request":
                    return
            to_server.write(data)
            if doomed.is_set() and self._moment == "under way":
                await asyncio.sleep(0.2)  # until the server has it
                return

    async def _back(
        self, from_server: asyncio.StreamReader, writer: asyncio.StreamWriter, doomed: asyncio.Event
    ) -> None:
        while data := await from_server.read(65536):
            if doomed.is_set():
                if self._moment == "answer":
                    return
                continue
            writer.write(data)

    async def stop(self) -> None:
        """Cut what is left."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection in a task of its own."""
        task = asyncio.get_running_loop().create_task(self.serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@asynccontextmanager
async def cutting_proxy(host: str, port: int) -> AsyncIterator[CuttingProxy]:
    """Listen until the end of the block."""
    proxy = CuttingProxy(host, port)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.stop()
