"""Real worker processes, as an operator starts them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import IO, Final

from workflows_benchmarks.machine import peak_memory_mib
from workflows_benchmarks.worker_engine import DATABASE_VARIABLE, LEASE_VARIABLE
from workflows_core import EngineSettings

__all__ = ["WorkerProcess", "worker_processes"]

_COMMAND: Final = "from workflows_core.cli import main; main()"
_ENGINE: Final = "workflows_benchmarks.worker_engine:make_engine"
_PATIENCE_S: Final = 60.0
_LAST_WORDS: Final = 10_000


class WorkerProcess:
    """``workflows worker`` in a process of its own."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    @property
    def peak_memory_mib(self) -> float | None:
        """Most memory that it has held so far; None where the system does not tell."""
        return peak_memory_mib(self._process.pid)

    def check(self) -> None:
        """See that it still runs.

        Raises:
            RuntimeError: It has ended.
        """
        if self._process.returncode is not None:
            msg = f"a worker process ended with {self._process.returncode}; its last words are above"
            raise RuntimeError(msg)

    def kill(self) -> None:
        """End it by SIGKILL, as a power failure would."""
        self._process.kill()

    async def stop(self) -> None:
        """Ask it to end, as an operator does, and wait until it has."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._process.communicate()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


@contextlib.asynccontextmanager
async def worker_processes(
    url: str | None, number: int, *, lease_s: float = EngineSettings().lease_s, log: Path | None = None
) -> AsyncGenerator[list[WorkerProcess]]:
    """Run so many workers on a database, ready when the block begins, and ended after it.

    Args:
        url: The database.
        number: How many.
        lease_s: Their lease.
        log: Takes what they log, of which the end is passed on if the block fails; None passes on everything.
    """
    assert url is not None
    async with contextlib.AsyncExitStack() as stack:
        stderr = None if log is None else stack.enter_context(log.open("ab"))
        try:
            yield [await stack.enter_async_context(_worker_process(url, lease_s, stderr)) for _ in range(number)]
        except BaseException:
            if log is not None:
                sys.stderr.write(log.read_text()[-_LAST_WORDS:])  # noqa: ASYNC240 - nothing else is going on any more
            raise


@contextlib.asynccontextmanager
async def _worker_process(url: str, lease_s: float, stderr: IO[bytes] | None) -> AsyncGenerator[WorkerProcess]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _COMMAND, "--engine", _ENGINE, "worker"),
        stdout=PIPE,
        stderr=stderr,
        env={**os.environ, DATABASE_VARIABLE: url, LEASE_VARIABLE: str(lease_s)},
    )
    worker = WorkerProcess(process)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(_PATIENCE_S):
            line = await process.stdout.readline()
        if b"is running" not in line:
            await process.wait()
            worker.check()
        yield worker
    finally:
        await worker.stop()
