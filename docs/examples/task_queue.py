"""An executor on a task queue of your own: hints go through it, and its worker hosts the engine that answers them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from workflows_core import (
    BaseMachineStep,
    EngineSettings,
    InMemoryWorkflowQueries,
    InMemoryWorkflowStore,
    MemoryState,
    Workflow,
    WorkflowContext,
    WorkflowRegistry,
)
from workflows_core.adapters.broker_executor import BrokerExecutor, Hint
from workflows_core.adapters.wired_engine import WiredEngine
from workflows_core.engine.hosting import WorkerHost


class TaskQueue:
    """Stands for the task queue that you have: what one process puts into it, a worker in another one is called with."""

    def __init__(self) -> None:
        self._messages: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    async def put(self, message: dict[str, str]) -> None:
        await self._messages.put(message)

    async def work(self, function: Callable[..., Awaitable[object]]) -> None:
        while True:
            await function(**await self._messages.get())


class TaskQueueExecutor(BrokerExecutor):
    """Sends hints as messages."""

    def __init__(self, tasks: TaskQueue) -> None:
        super().__init__()
        self._tasks = tasks

    async def send(self, hint: Hint) -> None:
        await self._tasks.put({"queue": hint.queue, "work": str(hint.ref)})

    async def disconnect(self) -> None:
        """Leave the queue to the application."""


class TaskQueueHost(WorkerHost):
    """What the worker of the task queue calls."""

    async def run(self, queue: str, work: str) -> bool:
        return await self.answer(queue)


class Greet(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None:
        context.set("greeting", f"hello {context.get('name')}")


class Greeting(Workflow):
    """Says hello."""

    __steps__ = [Greet]


def make_engine(memory: MemoryState, tasks: TaskQueue, poll_s: float) -> WiredEngine:
    registry = WorkflowRegistry()
    registry.register(Greeting)
    return WiredEngine(
        registry,
        store=InMemoryWorkflowStore(memory),
        queries=InMemoryWorkflowQueries(memory),
        executor=TaskQueueExecutor(tasks),
        settings=EngineSettings(poll_s=poll_s),
    )


async def main() -> None:
    memory, tasks = MemoryState(), TaskQueue()  # what a database and a broker would be to two processes

    # The worker's process. Its engine would look for work by itself only every ten minutes.
    host = TaskQueueHost(lambda: make_engine(memory, tasks, poll_s=600))
    await host.start()
    working = asyncio.create_task(tasks.work(host.run))
    await asyncio.sleep(0.1)  # it has looked and found nothing

    # The web process runs no steps.
    async with make_engine(memory, tasks, poll_s=0.02) as web:
        started = await web.start_workflow(Greeting, {"name": "world"})
        finished = await web.wait(started.id, timeout=5)
        print(finished.status, finished.data["greeting"])

    working.cancel()
    await host.stop()


if __name__ == "__main__":
    asyncio.run(main())
