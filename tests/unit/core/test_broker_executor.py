"""Hints on their way to a broker that may be down: nobody waits for them, and the newest are kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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
        self.tries = 0
        self.under_way = 0
        self.most_at_once = 0
        self.is_down = False
        self.hangs = False
        self.room = 1_000
        self.refused: set[str] = set()
        self.disconnected = 0

    async def send(self, hint: Hint) -> None:
        self.tries += 1
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            await self.take(hint)
        finally:
            self.under_way -= 1

    async def take(self, hint: Hint) -> None:
        if self.hangs:
            await asyncio.sleep(60)
        if self.is_down:
            raise ConnectionError("nobody is there")
        if self.under_way > self.room:
            raise ConnectionError("too many connections")
        if hint.queue in self.refused:
            raise LookupError(hint.queue)
        await asyncio.sleep(0)
        self.sent.append(hint.ref.number)

    async def disconnect(self) -> None:
        self.disconnected += 1


class InOneThread(Recorder):
    """Its client blocks, as Celery's does: one call after the other, and none can be cancelled."""

    def __init__(self, takes_s: float) -> None:
        super().__init__()
        self.takes_s = takes_s
        self.thread = ThreadPoolExecutor(1)

    async def take(self, hint: Hint) -> None:
        await asyncio.get_running_loop().run_in_executor(self.thread, self.block, hint)

    def block(self, hint: Hint) -> None:
        time.sleep(self.takes_s)
        self.sent.append(hint.ref.number)

    async def disconnect(self) -> None:
        self.thread.shutdown()


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_executor, "_FIRST_PAUSE_S", 0.005)
    monkeypatch.setattr(broker_executor, "_LONGEST_PAUSE_S", 0.02)
    monkeypatch.setattr(broker_executor, "_SEND_WITHIN_S", 0.1)
    monkeypatch.setattr(broker_executor, "_CLOSE_WITHIN_S", 0.2)


def refs(*numbers: int) -> list[WorkRef]:
    return [WorkRef(UUID(int=7), number) for number in numbers]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def test_hints_are_sent_in_their_order_a_few_at_once() -> None:
    executor = Recorder()
    for number in range(250):
        await executor.publish(refs(number), queue="default")
    await until(lambda: len(executor.sent) == 250)
    assert executor.sent == list(range(250))
    assert executor.most_at_once == 10
    await executor.close()


async def test_what_the_broker_took_is_not_sent_again_when_it_refused_the_rest() -> None:
    executor = Recorder()
    executor.room = 3
    await executor.publish(refs(*range(100)), queue="default")
    await until(lambda: len(executor.sent) >= 100)
    await executor.close()
    assert sorted(executor.sent) == list(range(100))


async def test_a_client_that_blocks_and_is_slow_gets_everything_sent() -> None:
    executor = InOneThread(takes_s=0.03)  # of ten at once, three come in time
    await executor.publish(refs(*range(20)), queue="default")
    await until(lambda: set(executor.sent) == set(range(20)))
    await executor.close()
    assert len(executor.sent) < 40, "what was under way when time was up is sent again, and nothing else"


async def test_a_queue_that_the_broker_refuses_holds_up_no_other() -> None:
    executor = Recorder()
    executor.refused = {"mail"}
    await executor.publish(refs(*range(100)), queue="mail")
    await until(lambda: executor.tries)
    await executor.publish(refs(100, 101), queue="default")
    await until(lambda: executor.sent == [100, 101])
    executor.refused = set()
    await until(lambda: len(executor.sent) == 102)
    await executor.close()


async def test_nobody_waits_at_the_end_for_a_broker_that_does_not_answer() -> None:
    executor = Recorder()
    executor.hangs = True
    for number, queue in enumerate("abcdef"):
        await executor.publish(refs(number), queue=queue)
    async with asyncio.timeout(0.5):
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

    asyncio.run(publish(1))  # the loop ends while it is being sent, and nobody hears of it any more
    asyncio.run(publish_and_see(2))
    assert executor.sent == [2]
