# /// script
# requires-python = ">=3.11"
# dependencies = ["celery[redis]==5.7.0"]
# ///
# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator, misc"
"""A Celery chain of five tasks on a Redis-protocol server.

The last task tells the client through a list of its own, which costs less than Celery's results; those are ignored.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import ExitStack
from typing import Any

import redis
from celery import Celery, chain

from workflows_benchmarks.peers.clients import Options, Way, measure, print_found, read_options

URL_VARIABLE = "WORKFLOWS_BENCH_BROKER"
WORKERS = os.cpu_count() or 1
"""The solo pool, once for each core, was faster here than the prefork and the thread pool."""
START_S = 30.0

server = redis.Redis.from_url(os.environ.get(URL_VARIABLE, "redis://"), max_connections=512, socket_timeout=None)
app = Celery("bench", broker=os.environ.get(URL_VARIABLE, "redis://"))
app.conf.update(
    task_ignore_result=True,
    task_acks_late=True,
    worker_prefetch_multiplier=16,
    broker_connection_retry_on_startup=True,
    broker_pool_limit=128,
    broker_transport_options={"max_connections": 512},
    worker_hijack_root_logger=False,
)


@app.task(name="empty_step")
def empty_step() -> None:
    """Do nothing."""


@app.task(name="last_step")
def last_step(client: str) -> None:
    """Do nothing, and say so."""
    server.rpush(client, 1)


def run(client: int) -> None:
    """Run one chain and wait for its end."""
    key = f"done-{client}-{uuid.uuid4().hex}"
    chain(*(empty_step.si() for _ in range(4)), last_step.si(key)).apply_async()
    if server.blpop([key], timeout=60) is None:
        msg = "a chain did not come to its end"
        raise TimeoutError(msg)


def main(options: Options) -> dict[str, Any]:
    """Start workers and measure them."""
    environment = {**os.environ, URL_VARIABLE: options.url}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the workers are ended too
    with ExitStack() as stack:
        for number in range(WORKERS):
            command = [sys.executable, __file__, "worker", str(number)]
            worker = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            stack.callback(worker.wait)
            stack.callback(worker.terminate)
        deadline = time.monotonic() + START_S
        while len(app.control.ping(timeout=0.5)) < WORKERS:
            if time.monotonic() > deadline:
                msg = "the Celery workers did not start"
                raise TimeoutError(msg)
        return asyncio.run(measure(options, [Way("chain", run_in_thread=run)]))


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        app.worker_main(["worker", "--pool=solo", f"--hostname=worker{sys.argv[2]}@localhost", "--loglevel=ERROR"])
    elif URL_VARIABLE not in os.environ:
        # The broker's address must be known before tasks are defined.
        os.environ[URL_VARIABLE] = read_options().url
        os.execv(sys.executable, [sys.executable, *sys.argv])
    else:
        given = read_options()
        note = f"{WORKERS} workers (solo), acks_late, results ignored; Redis protocol with appendfsync always"
        print_found(given, "celery", main(given), note)
