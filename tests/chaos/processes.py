"""Worker processes that can be killed, frozen and woken.

They run the command ``workflows worker``. They are forked off a process that has imported everything already, since most of the time that a
worker needs to start would otherwise go into imports, again and again.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_START_S = 30.0

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(
    ["tests.chaos.load", "workflows_core.cli.main", "asyncpg", "sqlalchemy.dialects.postgresql.asyncpg"]
)


def work(environment: Mapping[str, str], log: str, options: tuple[str, ...]) -> None:
    """What the process does."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for stream in (1, 2):
        os.dup2(output, stream)
    for inherited in [name for name in os.environ if name.startswith("CHAOS_")]:
        del os.environ[inherited]  # of the test in which the first process was forked
    os.environ.update(environment)

    from workflows_core.cli.main import build_group

    command = ["worker", "--engine", "tests.chaos.load:make_engine", "--json", *options]
    build_group().main(command, prog_name="workflows")


class WorkerProcess:
    """One ``workflows worker``.

    Args:
        environment: Variables beside those that every process has.
        log: Where its output goes.
        options: Options of the command.
    """

    def __init__(self, environment: Mapping[str, str], log: Path, *options: str) -> None:
        self.log_path = log
        log.touch()
        if str(ROOT) not in sys.path:
            sys.path.insert(0, str(ROOT))  # children find the tests where this process does
        self._process = _forks.Process(target=work, args=(dict(environment), str(log), options), daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive()

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def events(self) -> list[dict[str, Any]]:
        """What it said about its state."""
        return [json.loads(line) for line in self.log.splitlines() if line.startswith('{"event"')]

    @property
    def is_up(self) -> bool:
        """Whether it has said that it runs."""
        return any(event["event"] == "running" for event in self.events())

    def await_up(self) -> WorkerProcess:
        """Wait until it has said that it runs."""
        deadline = time.monotonic() + _START_S
        while not self.is_up:
            assert self.is_alive, f"a worker has ended:\n{self.log}"
            assert time.monotonic() < deadline, f"a worker does not start:\n{self.log}"
            time.sleep(0.02)
        return self

    def kill(self) -> None:
        """``kill -9``."""
        self._process.kill()
        self._process.join(20)

    def freeze(self) -> None:
        """Stop it where it is; it does not notice."""
        self.tell(signal.SIGSTOP)

    def wake(self) -> None:
        """Let it go on."""
        self.tell(signal.SIGCONT)

    def end(self, how: signal.Signals = signal.SIGTERM, *, within_s: float = 20.0) -> int | None:
        """End it as an init system does; its exit code, None if it goes on."""
        self.tell(how)
        self._process.join(within_s)
        return self._process.exitcode

    def tell(self, how: signal.Signals) -> None:
        """Send a signal, and wait for nothing."""
        os.kill(self.pid, how)

    def clean_up(self) -> None:
        """Leave nothing behind."""
        if self.is_alive:
            self.wake()
            self.kill()
        self._process.close()
