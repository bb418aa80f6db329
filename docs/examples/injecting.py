"""Payments: each attempt gets a connection of its own, which is given back when the attempt is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from workflows_core import (
    Actor,
    BaseMachineStep,
    Edge,
    FactoryInjector,
    Injected,
    InvalidDefinitionError,
    LocalExecutionEngine,
    RetryPolicy,
    Workflow,
    WorkflowContext,
    WorkflowRegistry,
)


class Connection:
    """Stands for something that has to be opened and closed."""

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant

    async def send(self, text: str) -> None:
        print(f"  {self.tenant}: {text}")


class Bank:
    """Something that needs a connection itself."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def pay(self, amount: int) -> None:
        await self.connection.send(f"pay {amount}")


class Pay(BaseMachineStep):
    retry = RetryPolicy(max_attempts=2, initial_delay_s=0, jitter=0)

    async def execute(self, context: WorkflowContext, bank: Injected[Bank]) -> None:
        await bank.pay(context.get("amount"))
        if context.attempt == 1:
            raise ConnectionResetError("the line is dead")

    async def on_success(self, context: WorkflowContext, result: None, connection: Injected[Connection]) -> None:
        await connection.send("thank you")


async def is_large(context: WorkflowContext, limit: Injected[int]) -> bool:
    return bool(context.get("amount") > limit)


class Report(BaseMachineStep):
    def execute(self, context: WorkflowContext, connection: Injected[Connection]) -> None:
        print("  report it to", connection.tenant)  # `def` runs in a thread; what it gets was made before


class Paying(Workflow):
    __steps__ = [Pay, Report]
    __edges__ = [Edge(Pay, Report, is_large)]


async def connect(context: WorkflowContext) -> AsyncIterator[Connection]:
    print(f"open a connection for attempt {context.attempt} at {context.current_step}")
    try:
        yield Connection(context.tenant_id or "nobody")
    except ConnectionResetError as error:
        print("  roll back:", error)
        raise
    finally:
        print("close it")


async def main() -> None:
    registry = WorkflowRegistry()
    registry.register(Paying)
    injector = FactoryInjector({Connection: connect, Bank: Bank, int: lambda: 1000})
    async with LocalExecutionEngine(registry, injector=injector) as engine:
        started = await engine.start_workflow("paying", {"amount": 2500}, actor=Actor("ann", tenant="acme"))
        print((await engine.wait(started.id, timeout=5)).status)
    try:
        await LocalExecutionEngine(registry, injector=FactoryInjector({int: lambda: 1000})).open()
    except InvalidDefinitionError as error:
        print(error)


if __name__ == "__main__":
    asyncio.run(main())
