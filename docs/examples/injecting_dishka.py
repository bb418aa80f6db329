"""The same with dishka: a scope of the container for each attempt, with the context of the workflow in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from dishka import FromDishka, Provider, Scope, make_async_container, provide

from workflows_core import (
    InMemoryWorkflowQueries,
    InMemoryWorkflowStore,
    MemoryState,
    Worker,
    WorkflowContext,
    WorkflowEngine,
    WorkflowRegistry,
    step,
    workflow,
)
from workflows_core.ports.queries import WorkflowQueries
from workflows_core.ports.store import WorkflowStore
from workflows_dishka import WorkflowsProvider


class Audit:
    """What an attempt did; written down when it is over."""

    def __init__(self) -> None:
        self.notes: list[str] = []


@workflow(name="order")
class Order:
    @step(initial=True)
    async def reserve(self, context: WorkflowContext, audit: FromDishka[Audit]) -> str:
        audit.notes.append(f"reserved {context.get('item')}")
        return "ship"

    @step
    def ship(self, context: WorkflowContext, audit: FromDishka[Audit]) -> None:
        audit.notes.append("shipped")
        raise RuntimeError("no van")


class AuditProvider(Provider):
    @provide(scope=Scope.REQUEST)
    async def audit(self, context: WorkflowContext) -> AsyncGenerator[Audit, BaseException | None]:
        audit = Audit()
        error = yield audit
        print(context.current_step, audit.notes, "ended well" if error is None else f"failed: {error}")


class EngineProvider(Provider):
    scope = Scope.APP

    @provide
    def registry(self) -> WorkflowRegistry:
        registry = WorkflowRegistry()
        registry.register(Order)
        return registry

    @provide
    def memory(self) -> MemoryState:
        return MemoryState()

    @provide
    def store(self, memory: MemoryState) -> WorkflowStore:
        return InMemoryWorkflowStore(memory)

    @provide
    def queries(self, memory: MemoryState) -> WorkflowQueries:
        return InMemoryWorkflowQueries(memory)


async def main() -> None:
    container = make_async_container(WorkflowsProvider(), AuditProvider(), EngineProvider())
    engine = await container.get(WorkflowEngine)
    await engine.open()
    worker = Worker(engine)
    running = asyncio.create_task(worker.run())
    started = await engine.start_workflow("order", {"item": "a lamp"})
    print((await engine.wait(started.id, timeout=5)).status)
    await worker.stop()
    await running
    await container.close()


if __name__ == "__main__":
    asyncio.run(main())
