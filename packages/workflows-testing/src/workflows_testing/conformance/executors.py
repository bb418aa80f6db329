"""Rules for every `StepExecutor`: a hint may be lost, but giving one never fails."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from workflows_core.ports.executor import StepExecutor, WorkRef

__all__ = ["StepExecutorConformance"]

REF = WorkRef(UUID(int=7), 1)


class StepExecutorConformance:
    """The suite; override the fixture ``executor``, and ``unreachable`` where there is a broker.

    Attributes:
        adapter: The class under test.
    """

    adapter: type

    @pytest.fixture
    def executor(self) -> StepExecutor:
        """The executor under test, ready to be used."""
        msg = f"{type(self).__name__} must override the fixture `executor`"
        raise TypeError(msg)

    @pytest.fixture
    def unreachable(self, executor: StepExecutor) -> StepExecutor:
        """One whose broker or worker is down; ``executor`` itself where there is none."""
        return executor

    async def test_a_hint_about_work_that_is_not_there_is_accepted(self, executor: StepExecutor) -> None:
        await executor.publish([REF], queue="default")

    async def test_a_hint_about_nothing_is_accepted(self, executor: StepExecutor) -> None:
        await executor.publish([], queue="default")

    async def test_a_hint_can_be_given_twice(self, executor: StepExecutor) -> None:
        await executor.publish([REF, REF], queue="default")
        await executor.publish([REF], queue="default")

    async def test_a_hint_can_be_about_many(self, executor: StepExecutor) -> None:
        await executor.publish([WorkRef(UUID(int=number), number) for number in range(1, 500)], queue="default")

    async def test_hints_can_be_given_at_once(self, executor: StepExecutor) -> None:
        await asyncio.gather(*(executor.publish([REF], queue="default") for _ in range(20)))

    async def test_queues_may_have_odd_names_and_priorities_any_value(self, executor: StepExecutor) -> None:
        for queue, priority in (("with space", -5), ("日本語", 0), ("a:b/c*", 1_000_000)):
            await executor.publish([REF], queue=queue, priority=priority)

    async def test_a_hint_is_dropped_when_the_broker_is_down(self, unreachable: StepExecutor) -> None:
        await unreachable.publish([REF], queue="default")
