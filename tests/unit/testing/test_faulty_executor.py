"""What each fault does to the hints of a sound executor."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

from workflows_core.ports.executor import StepExecutor, WorkRef
from workflows_testing.faults import DelayHint, DoubleHint, FaultPlan, FaultyExecutor, LoseHint, ReorderHints


class Listens(StepExecutor):
    """Remembers the numbers of the hints that arrive."""

    def __init__(self) -> None:
        self.heard: list[int] = []

    async def publish(self, items: Sequence[WorkRef], *, queue: str, priority: int = 0) -> None:
        assert (queue, priority) == ("fast", 3)
        self.heard.extend(item.number for item in items)

    async def close(self) -> None:
        self.heard.clear()


async def send(executor: StepExecutor, *numbers: int) -> None:
    for number in numbers:
        await executor.publish([WorkRef(UUID(int=1), number)], queue="fast", priority=3)


async def test_without_a_fault_hints_arrive_as_they_were_given() -> None:
    listener = Listens()
    await send(FaultyExecutor(listener, FaultPlan()), 1, 2)
    assert listener.heard == [1, 2]


async def test_a_lost_hint_does_not_arrive() -> None:
    listener = Listens()
    await send(FaultyExecutor(listener, FaultPlan().on("publish", nth=1, fault=LoseHint())), 1, 2)
    assert listener.heard == [2]


async def test_a_doubled_hint_arrives_twice() -> None:
    listener = Listens()
    await send(FaultyExecutor(listener, FaultPlan().on("publish", nth=1, fault=DoubleHint())), 1, 2)
    assert listener.heard == [1, 1, 2]


async def test_hints_that_are_kept_back_arrive_after_the_next_one_last_first() -> None:
    plan = FaultPlan().on("publish", nth=1, fault=ReorderHints()).on("publish", nth=3, fault=ReorderHints())
    listener = Listens()
    executor = FaultyExecutor(listener, plan)
    await send(executor, 1, 2, 3)
    assert listener.heard == [2, 1]
    await send(executor, 4)
    assert listener.heard == [2, 1, 4, 3]


async def test_a_delayed_hint_arrives_later_and_holds_up_nobody() -> None:
    listener = Listens()
    executor = FaultyExecutor(listener, FaultPlan().on("publish", nth=1, fault=DelayHint(0.02)))
    await send(executor, 1, 2)
    assert listener.heard == [2]
    async with asyncio.timeout(5):
        while listener.heard != [2, 1]:
            await asyncio.sleep(0.005)


async def test_a_closed_executor_loses_what_is_still_to_come() -> None:
    listener = Listens()
    plan = FaultPlan().on("publish", nth=1, fault=DelayHint(0.01)).on("publish", nth=2, fault=ReorderHints())
    executor = FaultyExecutor(listener, plan)
    await send(executor, 1, 2)
    await executor.forget()
    await asyncio.sleep(0.02)
    await send(executor, 3)
    assert listener.heard == [3]
