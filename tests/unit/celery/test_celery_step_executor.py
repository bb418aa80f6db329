"""What Celery's broker gets to see."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Sequence
from typing import Any
from uuid import UUID

import pytest
from celery import Celery
from celery.result import AsyncResult

from workflows_celery import CeleryStepExecutor
from workflows_core.adapters.broker_executor import Hint
from workflows_core.ports.executor import WorkRef


async def test_a_message_names_queue_and_work_and_no_limit_of_the_application_ends_it() -> None:
    app = Celery("test", broker="memory://", set_as_current=False)
    app.conf.update(task_time_limit=1, task_soft_time_limit=1, task_default_queue="here")
    executor = CeleryStepExecutor(app, queues={"mail": "there"})
    work = WorkRef(UUID(int=7), 3)
    await executor.send(Hint("mail", work))
    await executor.send(Hint("video", work))
    with app.connection_for_read() as connection:
        for queue, sent_to in (("mail", "there"), ("video", "here")):
            message = connection.SimpleQueue(sent_to).get(timeout=5)
            assert message.headers["task"] == "workflows.run"
            assert message.headers["timelimit"] == [600, 300]
            assert message.headers["eta"] is None
            assert message.headers["ignore_result"] is True
            assert message.payload[:2] == [[], {"queue": queue, "work": str(work)}]
    await executor.close()
    app.close()


class HeldUp(Celery):  # type: ignore[misc]  # Celery has no types
    """Sends nothing before it may, and never to a queue that is refused."""

    def __init__(self) -> None:
        super().__init__("test", broker="memory://", set_as_current=False)
        self.may_send = threading.Event()
        self.sent: list[str] = []

    def send_task(self, name: str, *arguments: Any, kwargs: dict[str, str], queue: str, **options: Any) -> AsyncResult:
        self.may_send.wait(10)
        if queue == "refused":
            msg = "no such queue"
            raise LookupError(msg)
        self.sent.append(kwargs["work"])
        return super().send_task(name, *arguments, kwargs=kwargs, queue=queue, **options)


class Counting(CeleryStepExecutor):
    """Notes how many hints are sent at each turn of the thread."""

    turns: list[int]

    def _send_each(self, turn: Sequence[Any]) -> list[Exception | None]:
        self.turns.append(len(turn))
        return super()._send_each(turn)


@pytest.fixture
async def held_up() -> AsyncGenerator[tuple[HeldUp, Counting]]:
    app = HeldUp()
    executor = Counting(app, queues={"odd": "refused"})
    executor.turns = []
    yield app, executor
    app.may_send.set()
    await executor.close()
    app.close()


async def begun(executor: Counting, *hints: Hint) -> list[asyncio.Task[None]]:
    """Hints on their way: the first in the thread already, the others behind it."""
    tasks = [asyncio.create_task(executor.send(hint)) for hint in hints[:1]]
    while not executor.turns:
        await asyncio.sleep(0.001)
    tasks += [asyncio.create_task(executor.send(hint)) for hint in hints[1:]]
    await asyncio.sleep(0)
    return tasks


async def test_what_gathers_while_the_thread_is_busy_is_sent_at_its_next_turn(
    held_up: tuple[HeldUp, Counting],
) -> None:
    app, executor = held_up
    refs = [WorkRef(UUID(int=7), number) for number in range(20)]
    sending = await begun(executor, *(Hint("mail", ref) for ref in refs))
    app.may_send.set()
    await asyncio.gather(*sending)
    assert executor.turns == [1, 19]
    assert app.sent == [str(ref) for ref in refs]


async def test_a_hint_that_is_refused_harms_no_other_of_its_turn(held_up: tuple[HeldUp, Counting]) -> None:
    app, executor = held_up
    refs = [WorkRef(UUID(int=7), number) for number in range(4)]
    hints = [Hint("odd" if ref.number == 2 else "mail", ref) for ref in refs]
    sending = await begun(executor, *hints)
    app.may_send.set()
    results = await asyncio.gather(*sending, return_exceptions=True)
    assert [type(result) for result in results] == [type(None), type(None), LookupError, type(None)]
    assert app.sent == [str(ref) for ref in refs if ref.number != 2]


async def test_a_hint_that_was_given_up_while_it_waited_is_not_sent(held_up: tuple[HeldUp, Counting]) -> None:
    app, executor = held_up
    refs = [WorkRef(UUID(int=7), number) for number in range(3)]
    sending = await begun(executor, *(Hint("mail", ref) for ref in refs))
    sending[1].cancel()
    await asyncio.wait(sending[1:2])
    app.may_send.set()
    await asyncio.gather(*sending, return_exceptions=True)
    assert app.sent == [str(refs[0]), str(refs[2])]


def test_an_executor_goes_on_in_another_event_loop_when_the_first_has_ended() -> None:
    app = HeldUp()
    executor = CeleryStepExecutor(app)

    async def give_up() -> None:
        sending = asyncio.create_task(executor.send(Hint("mail", WorkRef(UUID(int=7), 0))))
        await asyncio.sleep(0.05)
        sending.cancel()

    asyncio.run(give_up())
    app.may_send.set()
    asyncio.run(asyncio.wait_for(executor.send(Hint("mail", WorkRef(UUID(int=7), 1))), 5))
    assert app.sent[-1].endswith(":1")
    asyncio.run(executor.close())
    app.close()
