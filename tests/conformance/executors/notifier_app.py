"""The engine of a worker process without a broker, for ``workflows worker``; and that command."""

from __future__ import annotations

from tests.conformance.executors.site import persistence

from workflows_core import WorkflowEngine
from workflows_core.cli.main import build_group
from workflows_testing.deployments import Connected, WorkerOptions, make_engine as make_engine_of


def make_engine() -> WorkflowEngine:
    store, queries = persistence()
    return make_engine_of(Connected(store, queries, store.notifier()))


def main() -> None:
    options = WorkerOptions.from_environment()
    command = ["worker", "--engine", f"{__name__}:make_engine", "--concurrency", str(options.concurrency)]
    command += ["--drain-seconds", str(options.drain_s)]
    if options.queues is not None:
        command += ["--queues", ",".join(sorted(options.queues))]
    build_group().main(command, prog_name="workflows")
