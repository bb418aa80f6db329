"""Run one server for as long as the process that asked for it lives. A script of its own: standard library only, never imported.

The tests start ``python -I -S supervisor.py ORDER`` and the supervisor starts the server as its child. Its standard input is a pipe
from the tests: a line holds the name of a signal to pass on, its end means that the tests are gone, however they went. Then the
supervisor stops the server and erases its directory. Should the supervisor itself be killed, the kernel stops the server (Linux).

Asking the kernel alone would not do: ``PR_SET_PDEATHSIG`` fires when the *thread* that started the child ends, so a server that was
restarted from a thread pool would die with the pool; and it must be set between fork and exec, which is safe in a process that has
one thread, as this one, and not in a test process that has many.

ORDER is JSON: ``command`` (list of str), ``home`` (the directory to work in, and to erase), ``environment``, ``account`` (uid and gid, or
null for our own), ``abort`` (name of the signal that stops the server at once), ``parent`` (pid of the tests).
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

PR_SET_PDEATHSIG = 1
PARENT_CHECK_S = 1.0
ABORT_TIMEOUT_S = 10.0


def main() -> None:
    """Start the server, print its pid, and watch it and the tests until one of them ends."""
    order: dict[str, Any] = json.loads(sys.argv[1])
    abort = signal.Signals[order["abort"]]
    child_exited = _wake_up_when_a_child_exits()
    process = _start(order, abort)
    sys.stdout.write(f"{process.pid}\n")
    sys.stdout.flush()
    while process.poll() is None:
        readable, _, _ = select.select([sys.stdin.fileno(), child_exited], [], [], PARENT_CHECK_S)
        if child_exited in readable:
            os.read(child_exited, 64)
        orders = os.read(sys.stdin.fileno(), 64) if sys.stdin.fileno() in readable else None
        # A process that was forked off the tests may hold our pipe open after them, so look at our parent too.
        if orders == b"" or os.getppid() != order["parent"]:
            _abort(process, abort)
            shutil.rmtree(order["home"], ignore_errors=True)
            return
        for name in (orders or b"").decode().split():
            process.send_signal(signal.Signals[name])


def _start(order: dict[str, Any], abort: signal.Signals) -> subprocess.Popen[bytes]:
    account: dict[str, Any] = {}
    if order["account"] is not None:
        uid, gid = order["account"]
        account = {"user": uid, "group": gid, "extra_groups": []}
    return subprocess.Popen(
        order["command"],
        cwd=order["home"],
        env=order["environment"],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        # Safe with the one thread there is; runs after the change of account, which would clear the request.
        preexec_fn=_die_with_parent(abort),  # noqa: PLW1509
        **account,
    )


def _die_with_parent(abort: signal.Signals) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    supervisor = os.getpid()

    def ask_the_kernel() -> None:
        prctl(PR_SET_PDEATHSIG, int(abort))
        if os.getppid() != supervisor:
            os._exit(1)

    return ask_the_kernel


def _wake_up_when_a_child_exits() -> int:
    """Return a file descriptor that becomes readable then."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(writable)
    return readable


def _abort(process: subprocess.Popen[bytes], abort: signal.Signals) -> None:
    process.send_signal(abort)
    try:
        process.wait(ABORT_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    main()
