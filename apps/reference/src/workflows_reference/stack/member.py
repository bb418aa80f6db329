"""One process of the stack, which is started again when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Mapping, Sequence
from typing import Final

import click

__all__ = ["Member"]

_PAUSE_S: Final = 0.5
"""Between the end of a process and its next start, so that one that cannot start does not keep the machine busy."""


class Member:
    """A process of the stack.

    Args:
        name: What people call it.
        command: What is run.
        environment: All its variables.
    """

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.name = name
        self._command = command
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self._keeping: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        """Whether it has begun and not ended."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it, and say so."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the stack, which ends its processes in their order
        )
        click.echo(f"{self.name}: pid {self._process.pid}")

    def keep(self) -> None:
        """Start it again from now on, whenever it ends."""
        self._keeping = asyncio.create_task(self._keep())

    async def stop(self, *, within_s: float) -> None:
        """End it in good order; kill it if that takes too long."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(within_s):
                await process.wait()
        except TimeoutError:
            click.echo(f"{self.name} does not end, and is killed")
            process.kill()
            await process.wait()

    async def _keep(self) -> None:
        while self._process is not None:
            code = await self._process.wait()
            click.echo(f"{self.name} has ended with {code}, and is started again")
            await asyncio.sleep(_PAUSE_S)
            await self.start()
