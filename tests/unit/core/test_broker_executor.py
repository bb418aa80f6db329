"""Hints on their way to a broker that may be down: nobody waits for them, and the newest are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

import pytest

from workflows_core.adapters import broker_executor
from workflows_core.adapters.broker_executor import BrokerExecutor, Hint
from workflows_core.ports.executor import WorkRef


class Recorder(BrokerExecutor):
    """A broker in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[int] = []
        self.batches: list[int] = []
        self.tries = 0
        self.is_down = False
        self.hangs = False
        self.disconnected = 0

    async def send(self, hints: Sequence[Hint]) -> None:
        self.tries += 1
        if self.hangs:
            await asyncio.sleep(60)
        if self.is_down:
            raise ConnectionError("nobody is there")
        self.batches.append(len(hints))
        self.sent += [hint.ref.number for hint in hints]

    async def disconnect(self) -> None:
        self.disconnected += 1


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_executor, "_FIRST_PAUSE_S", 0.005)
    monkeypatch.setattr(broker_executor, "_LONGEST_PAUSE_S", 0.02)
    monkeypatch.setattr(broker_executor, "_SEND_WITHIN_S", 0.1)


def refs(*numbers: int) -> list[WorkRef]:
    return [WorkRef(UUID(int=7), number) for number in numbers]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def test_hints_that_gather_while_others_are_sent_go_together() -> None:
    executor = Recorder()
    for number in range(250):
        await executor.publish(refs(number), queue="default")
    await until(lambda: len(executor.sent) == 250)
    assert executor.sent == list(range(250))
    assert executor.batches == [100, 100, 50]
    await executor.close()


async def test_hints_are_kept_while_the_broker_is_down_and_sent_when_it_is_back() -> None:
    executor = Recorder()
    executor.is_down = True
    await executor.publish(refs(1, 2), queue="default")
    await until(lambda: executor.tries >= 3)
    await executor.publish(refs(3), queue="default")
    executor.is_down = False
    await until(lambda: len(executor.sent) == 3)
    assert executor.sent == [1, 2, 3]
    await executor.close()


async def test_the_oldest_hints_are_lost_when_too_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_executor, "_MOST_WAITING", 5)
    executor = Recorder()
    executor.is_down = True
    for number in range(3):
        await executor.publish(refs(number), queue="default")
    await until(lambda: executor.tries >= 2)
    for number in range(3, 9):
        await executor.publish(refs(number), queue="default")
    await until(lambda: executor.tries >= 4)
    executor.is_down = False
    await until(lambda: len(executor.sent) == 5)
    assert executor.sent == [4, 5, 6, 7, 8]
    await executor.close()


async def test_a_broker_that_does_not_answer_is_tried_again() -> None:
    executor = Recorder()
    executor.hangs = True
    await executor.publish(refs(1), queue="default")
    await until(lambda: executor.tries == 1)
    executor.hangs = False
    await until(lambda: executor.sent == [1])
    await executor.close()


async def test_it_is_said_once_that_the_broker_is_down(caplog: pytest.LogCaptureFixture) -> None:
    executor = Recorder()
    executor.is_down = True
    await executor.publish(refs(1), queue="default")
    await until(lambda: executor.tries >= 3)
    assert len(caplog.records) == 1
    await executor.close()


async def test_what_is_left_is_sent_before_the_end() -> None:
    executor = Recorder()
    await executor.publish(refs(*range(250)), queue="default")
    await executor.close()
    await executor.close()
    assert len(executor.sent) == 250
    assert executor.disconnected == 2


async def test_nothing_is_sent_after_the_end() -> None:
    executor = Recorder()
    await executor.close()
    await executor.publish(refs(1), queue="default")
    await asyncio.sleep(0.01)
    assert (executor.tries, executor.disconnected) == (0, 1)


async def test_nobody_waits_at_the_end_for_a_broker_that_is_down() -> None:
    executor = Recorder()
    executor.is_down = True
    await executor.publish(refs(1), queue="default")
    await until(lambda: executor.tries)
    async with asyncio.timeout(0.08):
        await executor.close()
    assert executor.sent == []


def test_an_executor_goes_on_in_another_event_loop() -> None:
    executor = Recorder()

    async def publish(*numbers: int) -> None:
        await executor.publish(refs(*numbers), queue="default")

    async def publish_and_see(*numbers: int) -> None:
        await publish(*numbers)
        await until(lambda: set(numbers) <= set(executor.sent))
        await executor.close()

    asyncio.run(publish(1))  # the loop ends before anything could be sent
    asyncio.run(publish_and_see(2))
    assert executor.sent == [1, 2]
