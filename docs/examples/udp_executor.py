"""An adapter of the port `StepExecutor`: a web process wakes its workers, on whatever machine, by datagrams."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Sequence

from workflows_core import (
    BaseMachineStep,
    EngineSettings,
    EventBus,
    InMemoryWorkflowQueries,
    InMemoryWorkflowStore,
    JsonCodec,
    MemoryState,
    NullExecutor,
    SafeExpressions,
    SystemClock,
    Uuid7Generator,
    Worker,
    Workflow,
    WorkflowContext,
    WorkflowEngine,
    WorkflowRegistry,
)
from workflows_core.ports.executor import StepExecutor, WorkRef


class UdpStepExecutor(StepExecutor):
    """Sends each worker a datagram when there is work.

    Datagrams get lost, doubled and reordered, and nobody may be listening: all of that the port allows.

    Args:
        workers: Host and port of each worker.
    """

    def __init__(self, *workers: tuple[str, int]) -> None:
        self._workers = workers
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    async def publish(self, items: Sequence[WorkRef], *, queue: str, priority: int = 0) -> None:
        if items:
            for worker in self._workers:
                with contextlib.suppress(OSError):
                    self._socket.sendto(queue.encode(), worker)

    async def close(self) -> None:
        """Give back the socket."""
        self._socket.close()


class WakeUp(asyncio.DatagramProtocol):
    """The other half, in the worker's process: a datagram makes the worker look for work now."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._worker.wake()


class Greet(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None:
        context.set("greeting", f"hello {context.get('name')}")


class Greeting(Workflow):
    """Says hello."""

    __steps__ = [Greet]


def make_engine(memory: MemoryState, executor: StepExecutor, settings: EngineSettings) -> WorkflowEngine:
    """The composition root: the one place that knows which adapters are used."""
    registry = WorkflowRegistry()
    registry.register(Greeting)
    return WorkflowEngine(
        registry,
        store=InMemoryWorkflowStore(memory),
        queries=InMemoryWorkflowQueries(memory),
        executor=executor,
        events=EventBus(),
        clock=SystemClock(),
        ids=Uuid7Generator(),
        codec=JsonCodec(),
        conditions=SafeExpressions(),
        settings=settings,
    )


async def main() -> None:
    memory = MemoryState()  # what a database would be to two processes

    # The worker's process looks into the store every ten minutes, and whenever it is woken.
    working = make_engine(memory, NullExecutor(), EngineSettings(poll_s=600))
    worker = Worker(working)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: WakeUp(worker), local_addr=("127.0.0.1", 0))
    running = asyncio.create_task(worker.run())

    # The web process runs no steps.
    executor = UdpStepExecutor(transport.get_extra_info("sockname"))
    web = make_engine(memory, executor, EngineSettings(poll_s=0.02))
    await asyncio.sleep(0.1)  # the worker has looked and found nothing
    started = await web.start_workflow("greeting", {"name": "world"})
    finished = await web.wait(started.id, timeout=5)
    print(finished.status, finished.data["greeting"])

    await worker.stop()
    await running
    await web.aclose()
    await working.aclose()
    transport.close()


if __name__ == "__main__":
    asyncio.run(main())
