"""Workflows through each executor, beside what its task queue does without us: chains of five empty jobs, which nothing keeps."""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import asyncpg

from workflows_benchmarks.effort import Effort
from workflows_benchmarks.engines import open_front
from workflows_benchmarks.hints import first_step_ms
from workflows_benchmarks.places import connect, open_place
from workflows_benchmarks.report import Report
from workflows_benchmarks.side_by_side import Figures
from workflows_benchmarks.task_queues.arq import ARQ
from workflows_benchmarks.task_queues.celery import Celery
from workflows_benchmarks.task_queues.chains import REDIS_VARIABLE, SLOTS, SLOTS_VARIABLE, TaskQueue
from workflows_benchmarks.task_queues.saq import SAQ
from workflows_benchmarks.worker_engine import DATABASE_VARIABLE
from workflows_benchmarks.workloads import linear, stamped, waiting
from workflows_core import WorkflowEngine
from workflows_testing.servers import redis

__all__ = ["measure_executors"]

_QUEUES: Final[dict[str, Callable[[str], TaskQueue]]] = {"saq": SAQ, "celery": Celery, "arq": ARQ}
_STORE_ONLY: Final = "no_broker"
_WORKER: Final = (
    *(
        "-c",
        "from workflows_core.cli import main; main()",
        "--engine",
        "workflows_benchmarks.worker_engine:make_engine",
    ),
    "worker",
    "--concurrency",
)
_COUNT: Final = "SELECT count(*) FROM workflow_instances WHERE status = 'completed'"
_LOOK_S: Final = 0.02
_PATIENCE_S: Final = 120.0
_LATENCIES: Final = 20
_FEW_SLOTS: Final = 2
"""So few that two workers, with their server and broker, do not fill the two cores of a small machine: then more of them could do no more."""
_SETTLE_S: Final = 6.0
"""Worker processes are given so long to start; nothing is measured before they have done work."""


async def measure_executors(store: str, effort: Effort) -> Report:
    """Start ``effort.size`` workflows or chains at once, in turns, and wait for the last; one worker process for each."""
    figures: Figures = {"workflows": effort.size, "slots": SLOTS}
    async with open_place(store) as place:
        with redis() as server:
            for name in (_STORE_ONLY, *_QUEUES):
                async with place.database() as url, connect(url) as database:
                    assert url is not None
                    environment = {**os.environ, DATABASE_VARIABLE: url, REDIS_VARIABLE: server.url}
                    make = _QUEUES.get(name)
                    queue = None if make is None else make(server.url)
                    measured = await _measure(queue, url, database, environment, effort)
                    figures |= {f"{name}_{figure}": value for figure, value in measured.items()}
                    if queue is not None:
                        await queue.close()
    notes = (
        "chains: five empty jobs, each enqueues the next one; nothing is durable",
        "one worker process; Celery with one child process",
        "the process that starts them shares the machine with the worker",
    )
    return Report("executors", store, figures, (*place.notes, *notes))


async def _measure(
    queue: TaskQueue | None, url: str, database: asyncpg.Connection, environment: dict[str, str], effort: Effort
) -> Figures:
    """Measure one executor on a database of its own; None is the one without a broker."""
    opened = open_front(url, linear(), stamped(), waiting(), hints=True) if queue is None else queue.engine(url)
    async with opened as engine:
        figures = await _throughput(engine, queue, database, environment, effort)
        return figures | await _scaling(engine, queue, database, environment, effort)


async def _throughput(
    engine: WorkflowEngine,
    queue: TaskQueue | None,
    database: asyncpg.Connection,
    environment: dict[str, str],
    effort: Effort,
) -> Figures:
    """Workflows of five empty steps and chains of five empty jobs, in turns; then the time to a first step."""
    ours: list[float] = []
    chains: list[float] = []
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_worker(_hosting(queue, SLOTS), environment))
        if queue is not None:
            await stack.enter_async_context(_worker(("-m", *queue.bare), environment))
        await asyncio.sleep(min(_SETTLE_S, 10 * effort.seconds))
        await _workflows(engine, database, "linear_5", max(effort.size // 10, 1))
        for _ in range(effort.rounds):
            ours.append(await _workflows(engine, database, "linear_5", effort.size))
            if queue is not None:
                chains.append(await _per_second(effort.size, queue.start_chain, queue.done))
        figures: Figures = {"workflows_per_s": round(statistics.median(ours), 1)}
        if chains:
            figures["chains_per_s"] = round(statistics.median(chains), 1)
            figures["ratio_to_chains"] = round(figures["workflows_per_s"] / figures["chains_per_s"], 3)
        return figures | {"first_step_p50_ms": round(await _latency(engine), 3)}


async def _scaling(
    engine: WorkflowEngine,
    queue: TaskQueue | None,
    database: asyncpg.Connection,
    environment: dict[str, str],
    effort: Effort,
) -> Figures:
    """Steps that wait for 20 ms, in one worker with few slots, then in two."""
    environment = {**environment, SLOTS_VARIABLE: str(_FEW_SLOTS)}
    size, rates = max(effort.size // 4, 1), []
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(_worker(_hosting(queue, _FEW_SLOTS), environment))
            await asyncio.sleep(min(_SETTLE_S, 10 * effort.seconds))
            await _workflows(engine, database, "waiting", max(size // 10, 1))
            rates.append(statistics.median([await _drain(engine, database, size) for _ in range(effort.rounds)]))
    return {"waiting_per_s": round(rates[0], 1), "ratio_of_two_workers": round(rates[1] / rates[0], 3)}


def _hosting(queue: TaskQueue | None, slots: int) -> tuple[str, ...]:
    """Arguments of Python for a worker that runs workflows."""
    return (*_WORKER, str(slots)) if queue is None else ("-m", *queue.hosting)


async def _workflows(engine: WorkflowEngine, database: asyncpg.Connection, name: str, size: int) -> float:
    async def start() -> None:
        await engine.start_workflow(name)

    return await _per_second(size, start, lambda: _finished(database))


async def _drain(engine: WorkflowEngine, database: asyncpg.Connection, size: int) -> float:
    """Start so many at once, and measure how fast those that are left then are worked off: the workers alone."""
    wanted = await _finished(database) + size
    await asyncio.gather(*(engine.start_workflow("waiting") for _ in range(size)))
    left = wanted - await _finished(database)
    began = time.perf_counter()
    await _wait_for(wanted, lambda: _finished(database))
    return left / (time.perf_counter() - began)


async def _finished(database: asyncpg.Connection) -> int:
    return int(await database.fetchval(_COUNT))


async def _per_second(size: int, start: Callable[[], Awaitable[None]], done: Callable[[], Awaitable[int]]) -> float:
    """Start so many at once and wait for the last."""
    wanted = await done() + size
    began = time.perf_counter()
    await asyncio.gather(*(start() for _ in range(size)))
    await _wait_for(wanted, done)
    return size / (time.perf_counter() - began)


async def _wait_for(wanted: int, done: Callable[[], Awaitable[int]]) -> None:
    latest = time.perf_counter() + _PATIENCE_S
    while (found := await done()) < wanted:
        if time.perf_counter() > latest:
            msg = f"{wanted - found} are not over"
            raise TimeoutError(msg)
        await asyncio.sleep(_LOOK_S)


async def _latency(engine: WorkflowEngine) -> float:
    times = []
    for _ in range(_LATENCIES):
        await asyncio.sleep(0.1)
        times.append(await first_step_ms(engine))
    return statistics.median(times)


@asynccontextmanager
async def _worker(arguments: Sequence[str], environment: dict[str, str]) -> AsyncGenerator[None]:
    """Run a worker for the length of a block; it is ended as an operator does."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, env=environment, stdout=DEVNULL, stderr=DEVNULL
    )
    try:
        yield
        if process.returncode is not None:
            msg = f"the worker {' '.join(arguments)} has ended with {process.returncode}"
            raise RuntimeError(msg)
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(_PATIENCE_S / 4):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
