"""The module that ``saq module.settings`` loads in a worker process; and that command."""

from __future__ import annotations

import os
from collections.abc import Mapping

from saq import Queue
from saq.worker import start
from tests.conformance.executors.site import BROKER_VARIABLE, worker_engine

from workflows_core import WorkflowEngine
from workflows_saq import SAQStepExecutor, SAQWorkerHost
from workflows_testing.deployments import WorkerOptions

_MAIL = frozenset({"mail"})


def make_queues(url: str) -> tuple[Queue, Mapping[str, Queue]]:
    """The queue of SAQ for all work, and those of some work."""
    return Queue.from_url(url, name="workflows"), {"mail": Queue.from_url(url, name="mail")}


def main() -> None:
    start(f"{__name__}.settings")


if BROKER_VARIABLE in os.environ:
    options = WorkerOptions.from_environment()
    queue, queues = make_queues(os.environ[BROKER_VARIABLE])

    def make_engine() -> WorkflowEngine:
        return worker_engine(SAQStepExecutor(queue, queues=queues))

    host = SAQWorkerHost(make_engine, queues=options.queues, concurrency=options.concurrency, drain_s=options.drain_s)
    settings = host.settings(queues["mail"] if options.queues == _MAIL else queue)
