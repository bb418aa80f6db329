"""The adapter does its work between real processes: as a program this module is a worker, as a test module it starts such workers."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest_asyncio
from udp_executor import UdpStepExecutor, WakeUp

from workflows_core import Worker
from workflows_sqlalchemy import create_store, upgrade
from workflows_testing.conformance import ExecutorDeploymentConformance
from workflows_testing.deployments import (
    EFFECTS_VARIABLE,
    Connected,
    Deployment,
    Effects,
    WorkerOptions,
    WorkerProcess,
    make_engine,
)

PLACES = 8
"""Of so many ports each worker takes one; the rules have fewer workers at once."""


def connected(database: str, ports: list[int]) -> Connected:
    """What an engine is made of, in every process: store, queries, and the executor under test."""
    store, queries = create_store(database)
    return Connected(store, queries, UdpStepExecutor(*(("127.0.0.1", port) for port in ports)))


async def work() -> None:
    """A worker process: it runs steps until it is told to end."""
    ports = [int(port) for port in os.environ["PORTS"].split(",")]
    options = WorkerOptions.from_environment()
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, told.set)
    async with make_engine(connected(os.environ["DATABASE"], ports)) as engine:
        worker = Worker(engine, concurrency=options.concurrency, queues=options.queues)
        address = ("127.0.0.1", int(os.environ["PORT"]))
        transport, _ = await loop.create_datagram_endpoint(lambda: WakeUp(worker), local_addr=address)
        running = asyncio.create_task(worker.run())
        await told.wait()
        await worker.stop(drain_s=10)
        await running
        transport.close()


class UdpWorkerProcess(WorkerProcess):
    """The process, as the rules treat it."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._environment, self._log = environment, log
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            environment = {**os.environ, **self._environment}
            return subprocess.Popen([sys.executable, __file__], env=environment, stdout=log, stderr=log)

    async def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    async def stop(self) -> int | None:
        self._process.terminate()
        try:
            return await asyncio.to_thread(self._process.wait, 30)
        except subprocess.TimeoutExpired:
            return None

    async def keep_up(self) -> None:
        if self._process.poll() is not None:
            self._process = self._start()

    @property
    def log(self) -> str:
        return self._log.read_text()


class UdpDeployment(Deployment):
    """The executor, its workers, and a file of SQLite between them."""

    def __init__(self, database: str, directory: Path) -> None:
        self.database, self.directory = database, directory
        self.effects = Effects(directory / "effects.jsonl")
        self.broker = None  # datagrams need no server
        self.ports = free_ports(PLACES)
        self.started = 0

    def connect(self) -> AbstractAsyncContextManager[Connected]:
        return self._connect()

    @asynccontextmanager
    async def _connect(self) -> AsyncIterator[Connected]:
        yield connected(self.database, self.ports)

    async def start_worker(self, options: WorkerOptions) -> WorkerProcess:
        environment = {
            "DATABASE": self.database,
            "PORT": str(self.ports[self.started % PLACES]),
            "PORTS": ",".join(map(str, self.ports)),
            EFFECTS_VARIABLE: str(self.effects.path),
            **options.to_environment(),
        }
        self.started += 1
        return UdpWorkerProcess(environment, self.directory / f"worker-{self.started}.log")


def free_ports(number: int) -> list[int]:
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class TestUdpDeployment(ExecutorDeploymentConformance):
    adapter = UdpStepExecutor

    @pytest_asyncio.fixture
    async def deployment(self, tmp_path: Path) -> UdpDeployment:
        database = f"sqlite:///{tmp_path / 'workflows.db'}"
        await upgrade(database)
        return UdpDeployment(database, tmp_path)


if __name__ == "__main__":
    asyncio.run(work())
