"""Worker processes of a deployment, forked off a process that has imported everything already."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from workflows_testing.deployments import WorkerProcess

ROOT = Path(__file__).parents[3]

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(
    [
        "arq.worker",
        "asyncpg",
        "celery.apps.worker",
        "celery.bin.worker",
        "celery.concurrency.prefork",
        "celery.worker.consumer",
        "kombu.transport.redis",
        "saq.queue.redis",
        "saq.worker",
        "sqlalchemy.dialects.postgresql.asyncpg",
        "sqlalchemy.dialects.sqlite.aiosqlite",
        "workflows_arq",
        "workflows_celery",
        "workflows_core.cli.main",
        "workflows_saq",
        "workflows_sqlalchemy",
        "workflows_testing.deployments",
    ]
)


def run(program: str, environment: Mapping[str, str], log: str) -> None:
    """What the process does."""
    os.setpgid(0, 0)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.environ.update(environment)
    module, _, name = program.partition(":")
    main: Callable[[], Any] = getattr(importlib.import_module(module), name)
    main()


class ForkedWorker(WorkerProcess):
    """A process with all that it starts.

    Args:
        program: ``module:function`` that it runs.
        environment: Variables beside those that every process has.
        log: Where its output goes.
        stop_s: Seconds that it has for its end.
    """

    def __init__(self, program: str, environment: Mapping[str, str], log: Path, *, stop_s: float) -> None:
        self._arguments = (program, dict(environment), str(log))
        self._log = log
        self._stop_s = stop_s
        log.touch()
        if str(ROOT) not in sys.path:
            sys.path.insert(0, str(ROOT))  # children find the tests where this process does
        self._process = self._launch()

    def _launch(self) -> Any:
        process = _forks.Process(target=run, args=self._arguments)
        process.start()
        return process

    @property
    def pid(self) -> int:
        """The process itself."""
        return int(self._process.pid)

    @property
    def is_alive(self) -> bool:
        return bool(self._process.is_alive())

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    async def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.kill()
        self._process.join(20)

    async def stop(self) -> int | None:
        self._process.terminate()
        deadline = time.monotonic() + self._stop_s
        while self._process.exitcode is None and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        code: int | None = self._process.exitcode
        return code

    async def keep_up(self) -> None:
        if not self.is_alive:
            self._process = self._launch()
