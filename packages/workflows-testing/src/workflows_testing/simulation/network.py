"""What lies between simulated processes and their store, and between each other: calls and hints that take time and get lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextvars import Context
from random import Random
from typing import Any, Protocol, TypeAlias

from workflows_core.errors import StoreUnavailableError
from workflows_core.ports.executor import StepExecutor, WorkRef
from workflows_core.ports.store import WorkflowStore
from workflows_testing.faults.relay import StoreCall, StoreRelay
from workflows_testing.simulation.cohorts import CURRENT_COHORT, Cohort
from workflows_testing.simulation.trace import Trace

__all__ = ["Connection", "Deliver", "Network", "NetworkExecutor", "Receiver"]

Deliver: TypeAlias = Callable[[StoreCall], Awaitable[Any]]
"""Makes a call at the store and gives its answer."""


class Receiver(Protocol):
    """A process that takes hints."""

    @property
    def takes_hints(self) -> bool:
        """Whether it lives and has a worker."""

    def take_hint(self) -> None:
        """Look for work soon."""


class Network:
    """Carries calls and hints; each takes a moment of seeded length.

    A request that has left its process arrives even if the process is killed or frozen meanwhile, as with a real database.

    Attributes:
        trace: What was carried.
        cohort: What is under way.
    """

    def __init__(self, random: Random, *, latency_s: float) -> None:
        """Make a network.

        Args:
            random: Chooses how long things take, and who gets a hint; used by nobody else.
            latency_s: Most seconds that one way takes; about half of them take no time at all.
        """
        self.trace = Trace()
        self.cohort = Cohort("network")
        self._random = random
        self._latency_s = latency_s
        self._context = Context()
        self._context.run(CURRENT_COHORT.set, self.cohort)
        self._receivers: list[Receiver] = []
        self._under_way: set[asyncio.Task[None]] = set()

    def latency(self) -> float:
        """Seconds of one way."""
        chance = self._random.random()
        return 0.0 if chance < 0.5 else (2 * chance - 1) * self._latency_s

    def attach(self, receiver: Receiver) -> None:
        """Give hints to a process from now on."""
        self._receivers.append(receiver)

    def hint(self) -> None:
        """Wake one of the workers."""
        able = [receiver for receiver in self._receivers if receiver.takes_hints]
        if able:
            receiver = able[int(self._random.random() * len(able))]
            asyncio.get_running_loop().call_later(self.latency(), receiver.take_hint, context=self._context)

    def send(self, journey: Coroutine[Any, Any, None]) -> None:
        """Let something travel; it belongs to no process."""
        task = asyncio.get_running_loop().create_task(journey, context=self._context)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)


class Connection(StoreRelay):
    """The way from one process to the store. Once it is cut, the store refuses whatever the remains of the process still ask."""

    def __init__(self, store: WorkflowStore, network: Network, process: str, deliver: Deliver) -> None:
        """Connect a process.

        Args:
            store: The store, perhaps with faults in its way.
            network: What lies between.
            process: Name of the process.
            deliver: Makes a call that has arrived at the store.
        """
        super().__init__(store)
        self._network = network
        self._process = process
        self._deliver = deliver
        self._is_cut = False

    def cut(self) -> None:
        """Take no more calls; those that have left arrive still."""
        self._is_cut = True

    async def carry(self, call: StoreCall) -> Any:
        """Send a request, and wait for its answer."""
        if self._is_cut:
            reason = f"process {self._process} is dead"
            raise StoreUnavailableError(reason)
        answer = asyncio.get_running_loop().create_future()
        self._network.send(self._travel(call, answer))
        return await answer

    async def _travel(self, call: StoreCall, answer: asyncio.Future[Any]) -> None:
        await asyncio.sleep(self._network.latency())
        result: Any = None
        error: Exception | None = None
        try:
            result = await self._deliver(call)
        except Exception as raised:  # noqa: BLE001 - the caller's
            error = raised
        self._network.trace.note(self._process, call, error or result)
        await asyncio.sleep(self._network.latency())
        if answer.cancelled():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)


class NetworkExecutor(StepExecutor):
    """Hints that wake some worker of the simulation, wherever it is."""

    def __init__(self, network: Network) -> None:
        """Use a network."""
        self._network = network

    async def publish(self, items: Sequence[WorkRef], *, queue: str, priority: int = 0) -> None:
        """Send a hint."""
        self._network.hint()

    async def close(self) -> None:
        """Hold nothing."""
