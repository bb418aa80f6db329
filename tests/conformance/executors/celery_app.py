"""The application of ``celery -A module worker`` in a worker process; and that command."""

from __future__ import annotations

import os
import time

from celery import Celery
from tests.conformance.executors.site import BROKER_VARIABLE, worker_engine

from workflows_celery import CeleryStepExecutor, CeleryWorkerHost
from workflows_core import BaseMachineStep, WorkflowContext, WorkflowDefinition, WorkflowEngine
from workflows_testing.deployments import WorkerOptions
from workflows_testing.deployments.effects import note

QUEUES = {"mail": "workflows-mail"}
POOL_VARIABLE = "WORKFLOWS_TEST_POOL"
ANSWER_VARIABLE = "WORKFLOWS_TEST_ANSWER"
BACKEND_VARIABLE = "WORKFLOWS_TEST_BACKEND"


class Blocking(BaseMachineStep):
    """Does what no step should do."""

    async def execute(self, context: WorkflowContext) -> None:
        note(context, "begin")
        time.sleep(context.get("takes_s"))
        note(context, "end")


BLOCKING = WorkflowDefinition("blocking", steps={"only": Blocking(name="only")})


class Host(CeleryWorkerHost):
    """The host, of which a test may want that it gives up waiting sooner."""

    _answer_s = float(os.environ.get(ANSWER_VARIABLE, CeleryWorkerHost._answer_s))


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
    app.conf.result_backend = os.environ.get(BACKEND_VARIABLE)

    def add(one: int, other: int) -> int:
        return one + other

    app.task(add)

    def make_engine() -> WorkflowEngine:
        print(f"an engine is made in process {os.getpid()}", flush=True)
        engine = worker_engine(CeleryStepExecutor(app, queues=QUEUES))
        engine.registry.register(BLOCKING)
        return engine

    # The pool has two processes or threads; each process runs as many steps at once as its share is.
    Host(app, make_engine, queues=options.queues, concurrency=options.concurrency, drain_s=options.drain_s)
