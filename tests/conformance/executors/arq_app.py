"""The settings of ``arq module.WorkerSettings`` in a worker process; and that command."""

from __future__ import annotations

import os
from typing import Any

from arq.cli import cli
from arq.connections import RedisSettings, create_pool
from tests.conformance.executors.site import BROKER_VARIABLE, persistence

from workflows_arq import ARQStepExecutor, ARQWorkerHost
from workflows_core import WorkflowEngine
from workflows_testing.deployments import Connected, WorkerOptions, make_engine as make_engine_of

DEFAULT = "workflows"
QUEUES = {"mail": "workflows:mail"}
DRAIN_VARIABLE = "WORKFLOWS_TEST_DRAIN_S"


async def make_engine() -> WorkflowEngine:
    store, queries = persistence()
    pool = await create_pool(RedisSettings.from_dsn(os.environ[BROKER_VARIABLE]), default_queue_name=DEFAULT)
    return make_engine_of(Connected(store, queries, ARQStepExecutor(pool, queues=QUEUES)))


def settings() -> dict[str, Any]:
    options = WorkerOptions.from_environment()
    drain_s = float(os.environ.get(DRAIN_VARIABLE, "10"))
    host = ARQWorkerHost(make_engine, queues=options.queues, concurrency=options.concurrency, drain_s=drain_s)
    return host.settings(
        redis_settings=RedisSettings.from_dsn(os.environ[BROKER_VARIABLE]),
        queue_name=QUEUES["mail"] if options.queues == frozenset({"mail"}) else DEFAULT,
    )


def main() -> None:
    cli.main([f"{__name__}.WorkerSettings"], prog_name="arq")


WorkerSettings = settings() if BROKER_VARIABLE in os.environ else {}
