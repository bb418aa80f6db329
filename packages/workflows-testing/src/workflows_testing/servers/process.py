"""One server program, started and stopped through its supervisor."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from workflows_testing.servers.accounts import Account
from workflows_testing.servers.errors import ServerStartError

StopMode: TypeAlias = Literal["fast", "immediate"]

SUPERVISOR: Final = Path(__file__).with_name("supervisor.py")
START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 20.0
POLL_INTERVAL_S: Final = 0.02
# Below the range from which systems take the ports of outgoing connections, so that a restarted server finds its port free.
PORTS: Final = range(15_000, 30_000)
ADDRESS_IN_USE: Final = "Address already in use"
START_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerProgram:
    """What to run and how to talk to it.

    Attributes:
        command: The executable and its arguments.
        home: Directory the server works in; erased when it is over.
        account: Whom to run it as; None for our own account.
        signals: The signal for each way of stopping.
        is_ready: Tells whether the server with this pid takes connections; must not wait long.
    """

    command: Sequence[str]
    home: Path
    account: Account | None
    signals: Mapping[StopMode, signal.Signals]
    is_ready: Callable[[int], bool]

    @property
    def log(self) -> Path:
        """Where the server's output goes."""
        return self.home / "server.log"


class ServerProcess:
    """A server program that can be started and stopped any number of times, from any thread, one at a time."""

    def __init__(self, program: ServerProgram) -> None:
        self._program = program
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._pid: int | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the running server; None while it does not run, whoever ended it."""
        return self._pid if self._supervisor is not None and self._supervisor.poll() is None else None

    def start(self) -> None:
        """Start the server and wait until it is ready; nothing happens if it runs.

        Raises:
            ServerStartError: It ended, or was not ready within a minute; nothing is left running.
        """
        if self.pid is not None:
            return
        self.stop("immediate")  # lets go of a server that ended by itself
        try:
            self._pid = self._spawn()
            self._await_ready(self._pid)
        except BaseException:
            self.stop("immediate")
            raise

    def stop(self, mode: StopMode) -> None:
        """Stop the server and wait until it is gone; nothing happens if it does not run."""
        supervisor, self._supervisor, self._pid = self._supervisor, None, None
        if supervisor is None:
            return
        try:
            for order in (self._program.signals[mode], signal.SIGKILL):
                if _ended_after(order, supervisor):
                    return
            supervisor.kill()
            supervisor.wait()
        finally:
            for pipe in (supervisor.stdin, supervisor.stdout):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()

    def _spawn(self) -> int:
        program = self._program
        order = {
            "command": list(program.command),
            "home": str(program.home),
            "environment": server_environment(program.home),
            "account": [program.account.uid, program.account.gid] if program.account else None,
            "abort": program.signals["immediate"].name,
            "parent": os.getpid(),
        }
        with program.log.open("wb") as log:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-I", "-S", str(SUPERVISOR), json.dumps(order)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the tests, which then stop the server in good order
            )
        assert self._supervisor.stdout is not None
        line = self._supervisor.stdout.readline()
        if not line:
            raise self._start_error("it could not be run")
        return int(line)

    def _await_ready(self, pid: int) -> None:
        assert self._supervisor is not None
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._program.is_ready(pid):
            if self._supervisor.poll() is not None:
                raise self._start_error("it ended")
            if time.monotonic() > deadline:
                raise self._start_error(f"it was not ready after {START_TIMEOUT_S:.0f} s")
            time.sleep(POLL_INTERVAL_S)

    def _start_error(self, reason: str) -> ServerStartError:
        return ServerStartError(Path(self._program.command[0]), reason, self._program.log.read_text(errors="replace"))


def _ended_after(order: signal.Signals, supervisor: subprocess.Popen[bytes]) -> bool:
    assert supervisor.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        supervisor.stdin.write(f"{order.name}\n".encode())
        supervisor.stdin.flush()
    try:
        supervisor.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def server_environment(home: Path) -> dict[str, str]:
    """Return the whole environment of a server: nothing of ours reaches it, and its messages are in English."""
    return {"HOME": str(home), "LC_ALL": "C", "PATH": os.defpath}


@contextlib.contextmanager
def temporary_home(prefix: str, owner: Account | None) -> Generator[Path]:
    """Yield a new directory that belongs to ``owner``, and erase it at the end."""
    home = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        if owner is not None:
            os.chown(home, owner.uid, owner.gid)
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def start_on_free_port(build: Callable[[int], ServerProgram]) -> tuple[ServerProcess, int]:
    """Start the program that ``build`` makes for a port, on a free port of 127.0.0.1.

    Between looking and binding, another process may take the port; then another port is tried.

    Raises:
        ServerStartError: The server did not start, for another reason or on several ports.
    """
    for attempt in range(1, START_ATTEMPTS + 1):
        port = _free_port()
        process = ServerProcess(build(port))
        try:
            process.start()
        except ServerStartError as error:
            if ADDRESS_IN_USE not in error.log or attempt == START_ATTEMPTS:
                raise
        else:
            return process, port
    raise AssertionError


def _free_port() -> int:
    while True:
        port = random.choice(PORTS)
        with socket.socket() as candidate, contextlib.suppress(OSError):
            candidate.bind(("127.0.0.1", port))
            return port
