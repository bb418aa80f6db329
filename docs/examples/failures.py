"""Retries, time limits, compensation and dead letters."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

from workflows_core import (
    Actor,
    BaseHumanStep,
    BaseMachineStep,
    Edge,
    ForEach,
    LocalExecutionEngine,
    NonRetryableError,
    RetryPolicy,
    SequentialGroup,
    Workflow,
    WorkflowContext,
    WorkflowInstance,
    step,
    workflow,
)

OLGA = Actor("olga")


class Reserve(BaseMachineStep):
    """Takes the goods from the shelf, and puts them back if the order comes to nothing."""

    async def execute(self, context: WorkflowContext) -> str:
        return f"{context.get('pieces')} lamps"

    async def compensate(self, context: WorkflowContext) -> None:
        if context.undoing is not None and context.undoing.is_known:
            print("  put back:", context.undoing.result)


class Charge(BaseMachineStep):
    retry = RetryPolicy(max_attempts=4, initial_delay_s=0.01, max_delay_s=60, non_retryable=("LookupError",))
    attempt_timeout = timedelta(seconds=20)

    async def execute(self, context: WorkflowContext) -> None:
        print("  charge: attempt", context.attempt)
        if context.get("card") is None:
            raise NonRetryableError("the customer has no card")
        if context.attempt < 3:
            raise ConnectionError("the bank does not answer")


class Order(Workflow):
    """What fails after the reservation undoes the reservation."""

    __steps__ = [Reserve, Charge]
    __edges__ = [(Reserve, Charge)]


class Convert(BaseMachineStep):
    """Works for long: says now and then that it is alive, and stops when nobody wants it any more."""

    heartbeat_timeout = timedelta(seconds=30)

    def execute(self, context: WorkflowContext) -> None:
        for page in range(context.get("pages")):
            if context.cancelled:
                return
            if page == context.get("broken_page"):
                raise ValueError(f"page {page} cannot be read")
            context.heartbeat()


class Approve(BaseHumanStep):
    title = "Approve the text"
    timeout = timedelta(milliseconds=20)


class Remind(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None:
        print("  nobody has approved it in time")


class Publish(Workflow):
    """A step that takes too long follows its timeout edges; one that fails follows its failure edges."""

    __steps__ = [Convert, Approve, Remind]
    __edges__ = [(Convert, Approve), Edge(Approve, Remind, on="timeout")]


@workflow(edges=[("fetch", "store")], deadline=timedelta(days=7))
class Import:
    """The same with decorators; seven days after its start it fails, whatever it does."""

    async def remove(self, context: WorkflowContext) -> None:
        print("  removed")

    @step(retry=3, attempt_timeout=timedelta(minutes=1), compensation=remove)
    async def fetch(self, context: WorkflowContext) -> None: ...

    @step
    async def store(self, context: WorkflowContext) -> None:
        raise OSError("the disk is full")


class Pack(BaseMachineStep):
    """Takes a strong box where a thin one has not been enough."""

    async def execute(self, context: WorkflowContext) -> None:
        context.set("box", "strong" if context.visit > 1 else "thin")


class Send(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None:
        if context.get("item") == "anvil" and context.get("box") == "thin":
            raise ValueError("the box has broken")
        print("  on its way:", context.get("item"))


class Delivery(Workflow):
    """Packs and sends one thing after the other."""

    __steps__ = [ForEach("goods", SequentialGroup(Pack, Send, name="parcel"), name="parcels", concurrency=1)]


async def ended(engine: LocalExecutionEngine, instance_id: UUID) -> WorkflowInstance:
    """Wait until an instance is over, and say how."""
    found = await engine.wait(instance_id, timeout=5, until=lambda instance: instance.status.is_final)
    why = "" if found.error is None else f" - {found.error.type}: {found.error.message}"
    print(f"  {found.status}{why}")
    return found


async def main() -> None:
    async with LocalExecutionEngine() as engine:
        print("an order without a card")
        order = await engine.start_workflow(Order, {"pieces": 2})
        await ended(engine, order.id)
        print("the same from its beginning, with a card")
        await engine.retry(order.id, "reserve", data={"card": "4711"}, actor=OLGA)
        await ended(engine, order.id)

        print("a text with a broken page")
        text = await engine.start_workflow(Publish, {"pages": 3, "broken_page": 1})
        await ended(engine, text.id)
        print("the same where it failed, without the broken page")
        await engine.retry(text.id, data={"pages": 2}, delete=["broken_page"], actor=OLGA)
        await ended(engine, text.id)

        print("a delivery of which one parcel breaks")
        delivery = await engine.start_workflow(Delivery, {"goods": ["lamp", "anvil", "vase"]})
        await ended(engine, delivery.id)
        print("the same, with that parcel packed once more")
        await engine.retry(delivery.id, "pack", actor=OLGA)
        await ended(engine, delivery.id)

        print("an import that nobody needs any more")
        run = await engine.start_workflow(Import)
        await ended(engine, run.id)
        for letter in (await engine.list_dead_letters()).items:
            await engine.discard(letter.id, "imported by hand", actor=OLGA)
        print(" ", len((await engine.list_dead_letters()).items), "dead letters")


if __name__ == "__main__":
    asyncio.run(main())
