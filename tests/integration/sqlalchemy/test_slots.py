"""Limits of concurrency and rate hold across worker processes, also when one of them is killed while it has slots."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter, defaultdict
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from workflows_core import (
    BaseMachineStep,
    ConcurrencyLimit,
    EngineSettings,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowRegistry,
    WorkflowStatus,
)
from workflows_core.ports.queries import InstanceFilter
from workflows_sqlalchemy import PersistentExecutionEngine

LEASE_S = 3.0
LIMIT = 2
INSTANCES = 60
WORKER = textwrap.dedent(
    """
    import asyncio, json, os, sys, time
    from workflows_core import BaseMachineStep, EngineSettings, WorkflowRegistry
    from workflows_sqlalchemy import PersistentExecutionEngine
    from tests.integration.sqlalchemy.test_slots import calls

    def note(path, **fields):
        line = "\\n" + json.dumps({**fields, "pid": os.getpid(), "at": time.monotonic()}) + "\\n"
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, line.encode())
        os.close(descriptor)

    async def call(context):
        who = {"customer": context.get("customer"), "key": context.idempotency_key}
        note(sys.argv[2], phase="begin", **who)
        try:
            await asyncio.sleep(context.get("seconds"))
        finally:  # also where it is stopped, because the machine was too busy to renew its lease
            note(sys.argv[2], phase="end", **who)

    async def main(url):
        registry = WorkflowRegistry()
        registry.register(calls(call))
        settings = EngineSettings(lease_s=float(sys.argv[3]), poll_s=0.1)
        async with PersistentExecutionEngine(registry, url, settings=settings):
            print("up", flush=True)
            await asyncio.sleep(3600)

    asyncio.run(main(sys.argv[1]))
    """
)


class Call(BaseMachineStep):
    """A call that its customer may make only so often at once."""

    concurrency = ConcurrencyLimit(LIMIT, key="customer")

    async def execute(self, context: WorkflowContext) -> None: ...


def calls(execute: object) -> WorkflowDefinition:
    """A workflow of one limited step."""
    step = Call()
    step.execute = execute  # type: ignore[method-assign, assignment]
    return WorkflowDefinition("calls", steps=[step])


class Run(NamedTuple):
    """One run of the step."""

    customer: str
    key: str
    pid: int
    begin: float
    end: float


def noted_in(path: Path) -> list[dict[str, Any]]:
    """What was noted; nothing of a line that its writer did not finish."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("}")]


def runs_in(path: Path, killed: dict[int, float]) -> list[Run]:
    """All runs; one of a killed process ends with it."""
    begun: dict[tuple[str, int], list[dict[str, float]]] = defaultdict(list)
    runs: list[Run] = []
    for noted in noted_in(path):
        place = noted["key"], noted["pid"]
        if noted["phase"] == "begin":
            begun[place].append(noted)
        else:
            first = begun[place].pop(0)
            runs.append(Run(noted["customer"], noted["key"], noted["pid"], first["at"], noted["at"]))
    for (key, pid), left in begun.items():
        runs += [Run(str(one["customer"]), key, pid, one["at"], killed[pid]) for one in left]
    return runs


def most_at_once(runs: list[Run]) -> int:
    changes = sorted([(run.begin, 1) for run in runs] + [(run.end, -1) for run in runs])
    most = now = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most


@contextmanager
def worker(url: str, log: Path) -> Generator[subprocess.Popen[str]]:
    root = str(Path(__file__).parents[3])
    command = [sys.executable, "-c", WORKER, url, str(log), str(LEASE_S)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        yield process
    finally:
        process.kill()
        process.communicate()


async def one_stopped_inside(log: Path, processes: Sequence[subprocess.Popen[str]]) -> subprocess.Popen[str]:
    """A process that is inside the step, and stopped there: one that is only seen there may have left before it can be killed."""
    while True:
        await asyncio.sleep(0.01)
        for process in processes:
            if is_inside(log, process):
                process.send_signal(signal.SIGSTOP)
                await asyncio.to_thread(os.waitid, os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
                if is_inside(log, process):
                    return process
                process.send_signal(signal.SIGCONT)


def is_inside(log: Path, process: subprocess.Popen[str]) -> bool:
    phases = Counter(noted["phase"] for noted in noted_in(log) if noted["pid"] == process.pid)
    return phases["begin"] > phases["end"]


async def test_slots_hold_across_processes_and_a_killed_one_frees_its_own_with_its_leases(
    url: str, tmp_path: Path
) -> None:
    log = tmp_path / "runs.jsonl"
    customers = ("ada", "bob", "cid")
    with worker(url, log) as first, worker(url, log) as second, worker(url, log) as third:
        # Without the code of the workflow it only starts and looks on.
        async with PersistentExecutionEngine(WorkflowRegistry(), url) as engine:
            await engine.store.publish([calls(Call().execute).graph])
            for number in range(INSTANCES):
                await engine.start_workflow("calls", {"customer": customers[number % 3], "seconds": 0.15})
            victim = await asyncio.wait_for(one_stopped_inside(log, (first, second, third)), 30)
            victim.kill()
            victim.wait()
            killed = {victim.pid: time.monotonic()}
            until = time.monotonic() + 60
            while await engine.queries.count_instances(InstanceFilter()) != {WorkflowStatus.COMPLETED: INSTANCES}:
                assert time.monotonic() < until, "it does not come to its end"
                await asyncio.sleep(0.05)
            assert await engine.find_stalled() == []
    runs = runs_in(log, killed)
    for customer in customers:
        of_customer = [run for run in runs if run.customer == customer]
        assert most_at_once(of_customer) <= LIMIT
        assert len({run.key for run in of_customer}) == INSTANCES // 3
    assert max(most_at_once([run for run in runs if run.customer == customer]) for customer in customers) == LIMIT
    at = killed[victim.pid]
    lost = {run.key for run in runs if run.end == at}
    assert lost, "the kill met no step under way: the test proves nothing"
    for key in lost:
        again = min(run.begin for run in runs if run.key == key and run.pid != victim.pid)
        assert again - at <= LEASE_S + 2.0


class Visit(BaseMachineStep):
    """Notes how many instances are under way at once."""

    inside = 0
    most = 0

    async def execute(self, context: WorkflowContext) -> None:
        Visit.inside += context.current_step == "enter"
        Visit.most = max(Visit.most, Visit.inside)
        await asyncio.sleep(0.01)
        Visit.inside -= context.current_step == "leave"


async def test_two_engines_admit_only_so_many_instances(url: str) -> None:
    Visit.inside = Visit.most = 0
    steps = [Visit(name="enter"), Visit(name="stay", concurrency=5), Visit(name="leave")]
    edges = [("enter", "stay"), ("stay", "leave")]
    definition = WorkflowDefinition("visits", steps=steps, edges=edges, concurrency=2)
    settings = EngineSettings(poll_s=0.05)
    async with (
        PersistentExecutionEngine(WorkflowRegistry(), url, settings=settings) as one,
        PersistentExecutionEngine(WorkflowRegistry(), url, settings=settings) as other,
    ):
        other.registry.register_definition(definition)
        started = [await one.start_workflow(definition) for _ in range(10)]
        for instance in started:
            await one.wait(instance.id, timeout=30, until=lambda found: found.status.is_final)
        assert await one.find_stalled() == []
    assert Visit.most == 2
