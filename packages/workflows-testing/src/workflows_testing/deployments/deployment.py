"""The parts of a deployment, as an adapter provides them."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from workflows_core.ports.executor import StepExecutor
from workflows_core.ports.queries import WorkflowQueries
from workflows_core.ports.store import WorkflowStore
from workflows_testing.deployments.effects import Effects
from workflows_testing.deployments.options import WorkerOptions

__all__ = ["Broker", "Connected", "Deployment", "WorkerProcess"]


class Connected(NamedTuple):
    """What an engine of a deployment is made of.

    Attributes:
        store: Where instances live.
        queries: The read side of it.
        executor: The executor under test.
    """

    store: WorkflowStore
    queries: WorkflowQueries
    executor: StepExecutor


class WorkerProcess(Protocol):
    """A process that runs steps, with all processes that it has started."""

    @abstractmethod
    async def kill(self) -> None:
        """End it at once, as a power failure would; nothing happens if it has ended."""

    @abstractmethod
    async def stop(self) -> int | None:
        """Ask it to end, as an init system does, and wait for that; its exit code, None if it goes on for too long."""

    @abstractmethod
    async def keep_up(self) -> None:
        """Start it again if it has ended by itself, as an init system does."""

    @property
    @abstractmethod
    def log(self) -> str:
        """What it said, for people."""


class Broker(Protocol):
    """The server through which hints go."""

    @abstractmethod
    async def stop(self) -> None:
        """Let it crash."""

    @abstractmethod
    async def start(self) -> None:
        """Let it come back at the same address."""

    @abstractmethod
    async def empty(self) -> None:
        """Let it forget all messages."""


class Deployment(Protocol):
    """An executor with everything that belongs to it; without workers and without instances when a rule begins.

    Attributes:
        effects: What the steps did; the workers have its path in `EFFECTS_VARIABLE`.
        broker: None where hints take another way.
    """

    effects: Effects
    broker: Broker | None

    @abstractmethod
    def connect(self) -> AbstractAsyncContextManager[Connected]:
        """What a process needs that starts workflows and runs none; store and executor are closed by whoever gets them."""

    @abstractmethod
    async def start_worker(self, options: WorkerOptions) -> WorkerProcess:
        """Start a process whose engine is made by `make_engine`; it has the options in `OPTIONS_VARIABLE`."""
