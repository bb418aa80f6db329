"""What Celery's broker gets to see."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Collection
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
        self.slow: set[str] = set()
        self.takes_s = 0.5

    def send_task(self, name: str, *arguments: Any, kwargs: dict[str, str], queue: str, **options: Any) -> AsyncResult:
        self.may_send.wait(10)
        if queue in self.slow:
            time.sleep(self.takes_s)
        if queue == "refused":
            msg = "no such queue"
            raise LookupError(msg)
        self.sent.append(kwargs["work"])
        return super().send_task(name, *arguments, kwargs=kwargs, queue=queue, **options)


class Watched(CeleryStepExecutor):
    """Tells when its thread has begun."""

    def __init__(self, app: Celery, *, queues: dict[str, str] | None = None) -> None:
        super().__init__(app, queues=queues)
        self.begun = threading.Event()

    def _try_to_send(self, hint: Hint) -> Exception | None:
        self.begun.set()
        return super()._try_to_send(hint)


@pytest.fixture
async def held_up() -> AsyncGenerator[tuple[HeldUp, Watched]]:
    app = HeldUp()
    executor = Watched(app, queues={"odd": "refused"})
    yield app, executor
    app.may_send.set()
    await executor.close()
    app.close()


def hints(number: int, *, odd: Collection[int] = ()) -> list[Hint]:
    return [Hint("odd" if one in odd else "mail", WorkRef(UUID(int=7), one)) for one in range(number)]


async def on_their_way(executor: Watched, *sent: Hint) -> list[asyncio.Task[None]]:
    """Hints, the first in the thread already, the others behind it."""
    tasks = [asyncio.create_task(executor.send(hint)) for hint in sent]
    await asyncio.to_thread(executor.begun.wait, 10)
    return tasks


async def test_what_gathers_while_the_thread_is_busy_is_told_of_together(held_up: tuple[HeldUp, Watched]) -> None:
    app, executor = held_up
    sending = await on_their_way(executor, *hints(20))
    done_before: list[int] = []
    for task in sending:
        task.add_done_callback(lambda _: done_before.append(sum(task.done() for task in sending)))
    app.may_send.set()
    await asyncio.gather(*sending)
    assert app.sent == [str(hint.ref) for hint in hints(20)]
    assert len(set(done_before)) <= 3, "the event loop is woken for each hint"


async def test_a_hint_that_is_refused_harms_no_other(held_up: tuple[HeldUp, Watched]) -> None:
    app, executor = held_up
    sending = await on_their_way(executor, *hints(4, odd={2}))
    app.may_send.set()
    results = await asyncio.gather(*sending, return_exceptions=True)
    assert [type(result) for result in results] == [type(None), type(None), LookupError, type(None)]
    assert app.sent == [str(hint.ref) for hint in hints(4) if hint.ref.number != 2]


async def test_hints_that_are_sent_do_not_wait_for_those_that_take_long(held_up: tuple[HeldUp, Watched]) -> None:
    app, executor = held_up
    app.slow = {"slow"}
    slow = [Hint("slow", WorkRef(UUID(int=8), number)) for number in range(4)]
    executor._queues["slow"] = "slow"
    sending = await on_their_way(executor, *hints(3), *slow)
    app.may_send.set()
    await asyncio.wait_for(asyncio.gather(*sending[:3]), app.takes_s * 2)
    assert not sending[-1].done()
    await asyncio.gather(*sending)


async def test_a_hint_that_was_given_up_while_it_waited_is_not_sent(held_up: tuple[HeldUp, Watched]) -> None:
    app, executor = held_up
    sending = await on_their_way(executor, *hints(3))
    sending[1].cancel()
    await asyncio.wait(sending[1:2])
    app.may_send.set()
    await asyncio.gather(*sending, return_exceptions=True)
    assert app.sent == [str(hint.ref) for hint in hints(3) if hint.ref.number != 1]


async def test_nothing_is_sent_by_an_executor_that_is_closed() -> None:
    app = HeldUp()
    executor = CeleryStepExecutor(app)
    await executor.close()
    with pytest.raises(RuntimeError):
        await executor.send(hints(1)[0])
    app.close()


def test_two_event_loops_may_send_and_one_may_end_before_it_is_told() -> None:
    app = HeldUp()
    executor = Watched(app)
    ended, going_on = asyncio.new_event_loop(), asyncio.new_event_loop()
    first, *others = hints(3)

    async def begin() -> None:
        tasks.extend(await on_their_way(executor, first, others[0]))

    tasks: list[asyncio.Task[None]] = []
    ended.run_until_complete(begin())
    ended.close()
    sending = going_on.create_task(executor.send(others[1]))
    going_on.call_later(0.05, app.may_send.set)
    going_on.run_until_complete(asyncio.wait_for(sending, 5))
    assert app.sent == [str(hint.ref) for hint in hints(3)]
    assert [task.done() for task in tasks] == [False, False]
    going_on.run_until_complete(executor.close())
    going_on.close()
    app.close()
