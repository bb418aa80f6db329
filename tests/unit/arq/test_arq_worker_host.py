"""What a worker of ARQ is given."""

from __future__ import annotations

import asyncio
import signal

import pytest
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
    assert worker._job_completion_wait == 5, "answers under way are waited for, not cancelled"


async def test_the_hooks_start_and_stop_the_host_and_the_function_answers() -> None:
    host = ARQWorkerHost(LocalExecutionEngine)
    answer = host.function.coroutine
    assert not await answer({}, queue="default", work="7:1")
    await host.startup({"redis": ArqRedis()})
    assert not await answer({}, queue="default", work="7:1")
    await host.shutdown({})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_host_stops_when_a_signal_comes_and_others_hear_it_too(number: signal.Signals) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(number, told.set)  # as ARQ does
    host = ARQWorkerHost(LocalExecutionEngine)
    try:
        before = signal.getsignal(number)
        await host.startup({"redis": ArqRedis()})
        signal.raise_signal(number)
        async with asyncio.timeout(5):
            await told.wait()
            while not host._has_ended():
                await asyncio.sleep(0.01)
        assert signal.getsignal(number) != before
        await host.shutdown({})
        assert signal.getsignal(number) == before
    finally:
        loop.remove_signal_handler(number)
