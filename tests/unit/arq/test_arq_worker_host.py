"""What a worker of ARQ is given."""

from __future__ import annotations

from arq.connections import ArqRedis
from arq.worker import Worker

from workflows_arq import ARQWorkerHost
from workflows_core import LocalExecutionEngine


async def test_the_settings_are_those_of_a_worker_of_arq() -> None:
    host = ARQWorkerHost(LocalExecutionEngine, concurrency=7, drain_s=2.5)
    settings = host.settings(redis_pool=ArqRedis(), queue_name="work", handle_signals=False)
    worker = Worker(**settings)
    assert worker.max_jobs == 7
    assert list(worker.functions) == ["workflows.run"]
    assert worker.queue_name == "work"
    assert worker._job_completion_wait == 3, "answers under way are waited for, not cancelled"


async def test_the_hooks_start_and_stop_the_host_and_the_function_answers() -> None:
    host = ARQWorkerHost(LocalExecutionEngine)
    answer = host.function.coroutine
    assert not await answer({}, queue="default", work="7:1")
    await host.startup({})
    assert not await answer({}, queue="default", work="7:1")
    await host.shutdown({})
