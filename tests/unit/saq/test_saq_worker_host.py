"""What a worker of SAQ is given."""

from __future__ import annotations

from saq import Queue, Worker

from workflows_core import LocalExecutionEngine
from workflows_saq import SAQWorkerHost


async def test_the_settings_are_those_of_a_worker_of_saq() -> None:
    host = SAQWorkerHost(LocalExecutionEngine, concurrency=7)
    queue = Queue.from_url("redis://127.0.0.1:1/0")
    settings = host.settings(queue, timers={"sweep": 5})
    worker = Worker(**settings)
    assert worker.concurrency == 7
    assert list(worker.functions) == ["workflows.run"]
    assert worker.timers["sweep"] == 5
    assert worker.queue is queue


async def test_the_hooks_start_and_stop_the_host_and_the_function_answers() -> None:
    host = SAQWorkerHost(LocalExecutionEngine)
    _, answer = host.function
    assert not await answer({}, queue="default", work="7:1")
    await host.startup({})
    assert not await answer({}, queue="default", work="7:1")
    await host.shutdown({})
