"""The application of ``celery -A module worker`` in a worker process; and that command."""

from __future__ import annotations

import os

from celery import Celery
from tests.conformance.executors.site import BROKER_VARIABLE, worker_engine

from workflows_celery import CeleryStepExecutor, CeleryWorkerHost
from workflows_core import WorkflowEngine
from workflows_testing.deployments import WorkerOptions

QUEUES = {"mail": "workflows-mail"}
POOL_VARIABLE = "WORKFLOWS_TEST_POOL"


def make_app(broker_url: str) -> Celery:
    app = Celery("workflows-test", broker=broker_url)
    app.conf.update(
        task_default_queue="workflows",
        broker_connection_retry_on_startup=True,
        broker_transport_options={"socket_connect_timeout": 2},
        worker_hijack_root_logger=True,
    )
    return app


def main() -> None:
    queue = QUEUES["mail"] if options.queues == frozenset({"mail"}) else "workflows"
    pool = os.environ[POOL_VARIABLE]
    command = ["worker", f"--pool={pool}", "--concurrency=2", "--loglevel=INFO", "--without-mingle", "--without-gossip"]
    app.worker_main([*command, "--queues", queue])


if BROKER_VARIABLE in os.environ:
    options = WorkerOptions.from_environment()
    app = make_app(os.environ[BROKER_VARIABLE])

    def make_engine() -> WorkflowEngine:
        return worker_engine(CeleryStepExecutor(app, queues=QUEUES))

    # The pool has two processes or threads; each process runs as many steps at once as its share is.
    CeleryWorkerHost(app, make_engine, queues=options.queues, concurrency=options.concurrency, drain_s=options.drain_s)
