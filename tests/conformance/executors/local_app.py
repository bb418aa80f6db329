"""A process that hosts an engine with a worker of its own, beside whatever else it does; as `InProcessEngine` wires it."""

from __future__ import annotations

import asyncio
import signal

from tests.conformance.executors.site import persistence

from workflows_core.adapters.in_process_executor import InProcessExecutor
from workflows_core.engine.worker import Worker
from workflows_testing.deployments import Connected, WorkerOptions, make_engine


async def host() -> None:
    options = WorkerOptions.from_environment()
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    store, queries = persistence()
    executor = InProcessExecutor(store.notifier())
    engine = make_engine(Connected(store, queries, executor))
    executor.bind(lambda: Worker(engine, concurrency=options.concurrency, queues=options.queues))
    async with engine:
        executor.ensure_running()
        await told.wait()
        await executor.stop(drain_s=options.drain_s)


def main() -> None:
    asyncio.run(host())
