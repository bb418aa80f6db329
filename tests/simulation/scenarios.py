"""The stories that the simulation tells: each feature of the engine that could lose, double or stall something."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

from workflows_core import (
    BaseHumanStep,
    BaseMachineStep,
    ConcurrencyLimit,
    DelayStep,
    Edge,
    EngineSettings,
    ForEach,
    ParallelGateway,
    ParallelGroup,
    RaceGroup,
    RateLimit,
    SequentialGroup,
    WebhookStep,
    WorkflowContext,
    WorkflowDefinition,
)
from workflows_core.domain.retry import RetryPolicy
from workflows_testing.simulation import Client, Effects, Scenario

SETTINGS = EngineSettings(lease_s=6.0, poll_s=2.0, max_crashes=1000)


class Work(BaseMachineStep):
    """Takes its time, does something outside, and writes that it did."""

    def __init__(self, name: str, effects: Effects, *, takes_s: float = 0.3, **attributes: Any) -> None:
        super().__init__(name=name, **attributes)
        self.effects = effects
        self.takes_s = takes_s

    async def execute(self, context: WorkflowContext) -> str:
        await asyncio.sleep(self.takes_s / 4)
        self.effects.note(context)
        await asyncio.sleep(self.takes_s * 3 / 4)
        context.set(self.name, context.get(self.name, 0) + 1)
        return self.name


class PlainWork(BaseMachineStep):
    """The same as a plain function, for which a real worker would take a thread."""

    def __init__(self, name: str, effects: Effects, **attributes: Any) -> None:
        super().__init__(name=name, **attributes)
        self.effects = effects

    def execute(self, context: WorkflowContext) -> None:
        self.effects.note(context)
        context.set(self.name, True)


class Fails(BaseMachineStep):
    def __init__(self, name: str, effects: Effects) -> None:
        super().__init__(name=name)
        self.effects = effects

    async def execute(self, context: WorkflowContext) -> None:
        self.effects.note(context)
        raise LookupError("as it must")


class Square(BaseMachineStep):
    def __init__(self, effects: Effects) -> None:
        super().__init__(name="square")
        self.effects = effects

    async def execute(self, context: WorkflowContext) -> int:
        await asyncio.sleep(0.1)
        self.effects.note(context)
        return int(context.get("item")) ** 2


def story(
    name: str,
    build: Callable[[Effects], Sequence[WorkflowDefinition]],
    drive: Callable[[Client], Awaitable[Any]] | None = None,
    **options: Any,
) -> Scenario:
    """A scenario; unless it is driven otherwise, it starts its workflow and waits for the end."""

    async def start_and_wait(client: Client) -> None:
        await client.end_of(await client.start(name))

    return Scenario(name=name, workflows=build, drive=drive or start_and_wait, settings=SETTINGS, **options)


def one(name: str, steps: Sequence[Any], edges: Sequence[Any] = ()) -> list[WorkflowDefinition]:
    return [WorkflowDefinition(name, steps=list(steps), edges=edges)]


def _linear(effects: Effects) -> list[WorkflowDefinition]:
    first = Work("first", effects, next="second")
    return one("linear", [first, PlainWork("second", effects, next="third"), Work("third", effects, takes_s=4.0)])


def _long(effects: Effects) -> list[WorkflowDefinition]:
    return one("long", [Work("first", effects, takes_s=20.0, next="second"), Work("second", effects, takes_s=6.0)])


def _parallel(effects: Effects) -> list[WorkflowDefinition]:
    fork = ParallelGateway(name="fork")
    left, right, last = Work("left", effects), Work("right", effects, takes_s=0.2), Work("last", effects, takes_s=6.0)
    middle, join = Work("middle", effects, takes_s=0.0), Work("join", effects)
    edges = [(fork, left), (fork, middle), (fork, right), (right, last), (left, join), (middle, join), (last, join)]
    return one("parallel", [fork, left, middle, right, last, join], edges)


def _first_of_two(effects: Effects) -> list[WorkflowDefinition]:
    fork = ParallelGateway(name="fork")
    quick, slow, join = Work("quick", effects), Work("slow", effects, takes_s=9.0), Work("join", effects, join="any")
    return one("first_of_two", [fork, quick, slow, join], [(fork, quick), (fork, slow), (quick, join), (slow, join)])


def _for_each(effects: Effects) -> list[WorkflowDefinition]:
    items = ForEach("numbers", Square(effects), name="items", item="item", concurrency=2, into="squares")
    last = Work("last", effects)
    return one("for_each", [items, last], [(items, last)])


async def _drive_for_each(client: Client) -> None:
    await client.end_of(await client.start("for_each", {"numbers": [1, 2, 3, 4, 5]}))


def _groups(effects: Effects) -> list[WorkflowDefinition]:
    both = ParallelGroup(
        SequentialGroup(Work("a", effects), Work("b", effects), name="row"),
        Work("c", effects, takes_s=0.5),
        name="both",
        into="results",
    )
    last = Work("last", effects)
    return one("groups", [both, last], [(both, last)])


def _timer(effects: Effects) -> list[WorkflowDefinition]:
    delay = DelayStep("delay", duration=timedelta(seconds=30))
    first, last = Work("first", effects), Work("last", effects)
    return one("timer", [first, delay, last], [(first, delay), (delay, last)])


def _human(effects: Effects) -> list[WorkflowDefinition]:
    ask, last = BaseHumanStep(name="ask", title="Do we?"), Work("last", effects)
    again = Work("again", effects)
    edges = [(again, ask), (ask, again, "not yes"), Edge(ask, last, default=True)]
    return one("human", [again, ask, last], edges)


async def _drive_human(client: Client) -> None:
    instance = await client.start("human")
    await client.complete(instance, "ask", "ann", {"yes": False})
    await client.complete(instance, "ask", "bob", {"yes": True})
    await client.end_of(instance)


def _race(effects: Effects) -> list[WorkflowDefinition]:
    race = RaceGroup(
        BaseHumanStep(name="ask", title="Do we?"), DelayStep("silence", duration=timedelta(seconds=20)), name="race"
    )
    last = Work("last", effects)
    return one("race", [race, last], [(race, last)])


def _webhook(effects: Effects) -> list[WorkflowDefinition]:
    first, called, last = Work("first", effects), WebhookStep(name="called", into="call"), Work("last", effects)
    return one("webhook", [first, called, last], [(first, called), (called, last)])


async def _drive_webhook(client: Client) -> None:
    early = await client.start("webhook")
    await client.call_webhook(early, "called", {"amount": 1})
    late = await client.start("webhook")
    await client.until(late, lambda instance: instance.current_step == "called")
    await client.call_webhook(late, "called", {"amount": 2})
    await client.end_of(early)
    await client.end_of(late)


def _cancel(effects: Effects) -> list[WorkflowDefinition]:
    fork = ParallelGateway(name="fork")
    waits, works = BaseHumanStep(name="waits", title="Do we?"), Work("works", effects, takes_s=10_000.0)
    timer = DelayStep("timer", duration=timedelta(days=1))
    return one("cancel", [fork, waits, works, timer], [(fork, waits), (fork, works), (fork, timer)])


async def _drive_cancel(client: Client) -> None:
    instance = await client.start("cancel")
    await client.until(instance, lambda found: len(found.active_steps) == 3)
    await client.cancel(instance, "enough")
    await client.end_of(instance)


def _failure(effects: Effects) -> list[WorkflowDefinition]:
    fork, fails, mends = ParallelGateway(name="fork"), Fails("fails", effects), Work("mends", effects)
    other, join = Work("other", effects, takes_s=1.0), Work("join", effects)
    edges = [(fork, fails), (fork, other), Edge(fails, mends, on="failure"), (mends, join), (other, join)]
    return [
        *one("failure", [fork, fails, mends, other, join], edges),
        *one("fails_for_good", [Work("before", effects, next="fails"), Fails("fails", effects)]),
    ]


async def _drive_failure(client: Client) -> None:
    first, second = await client.start("failure"), await client.start("fails_for_good")
    await client.end_of(first)
    await client.end_of(second)


def _many(effects: Effects) -> list[WorkflowDefinition]:
    first, second = Work("first", effects, next="second"), Work("second", effects, takes_s=6.0)
    return one("many", [first, second])


async def _drive_many(client: Client) -> None:
    started = [await client.start("many") for _ in range(6)]
    for instance in started:
        await client.end_of(instance)


class FailsFirst(BaseMachineStep):
    """Fails until it was tried so often, by the count of the world outside."""

    def __init__(self, name: str, effects: Effects, *, times: int, **attributes: Any) -> None:
        super().__init__(name=name, **attributes)
        self.effects = effects
        self.times = times

    async def execute(self, context: WorkflowContext) -> None:
        self.effects.note(context)
        if self.effects.count(context.idempotency_key) <= self.times:
            raise ConnectionError("not yet")
        context.set(self.name, "done")


class HangsFirst(BaseMachineStep):
    """Hangs at first, and is quick afterwards."""

    def __init__(self, name: str, effects: Effects, **attributes: Any) -> None:
        super().__init__(name=name, **attributes)
        self.effects = effects

    async def execute(self, context: WorkflowContext) -> None:
        self.effects.note(context)
        if self.effects.count(context.idempotency_key) == 1:
            await asyncio.sleep(1000)
        context.set(self.name, "done")


class Undoable(Work):
    """Can be undone."""

    async def compensate(self, context: WorkflowContext) -> None:
        await asyncio.sleep(self.takes_s)
        self.effects.note(context)


class NeedsHelp(BaseMachineStep):
    """Fails until an operator has set a key."""

    def __init__(self, name: str, effects: Effects) -> None:
        super().__init__(name=name)
        self.effects = effects

    async def execute(self, context: WorkflowContext) -> None:
        self.effects.note(context)
        if not context.get("helped"):
            raise LookupError("as it must")


AGAIN = RetryPolicy(max_attempts=50, initial_delay_s=0.5, max_delay_s=8.0)


def _retries(effects: Effects) -> list[WorkflowDefinition]:
    fork = ParallelGateway(name="fork")
    fails, hangs = (
        FailsFirst("fails", effects, times=3, retry=AGAIN),
        HangsFirst("hangs", effects, retry=AGAIN, attempt_timeout=timedelta(seconds=4)),
    )
    join = Work("join", effects)
    return one("retries", [fork, fails, hangs, join], [(fork, fails), (fork, hangs), (fails, join), (hangs, join)])


def _timeout(effects: Effects) -> list[WorkflowDefinition]:
    asked = BaseHumanStep(name="asked", title="Do we?", timeout=timedelta(seconds=15))
    late, never = Work("late", effects), Work("never", effects)
    return one("timeout", [asked, late, never], [Edge(asked, late, on="timeout"), (asked, never)])


def _compensation(effects: Effects) -> list[WorkflowDefinition]:
    first, second = Undoable("first", effects, next="second"), Undoable("second", effects, takes_s=1.0, next="fails")
    return one("compensation", [first, second, Fails("fails", effects)])


def _undone_cancel(effects: Effects) -> list[WorkflowDefinition]:
    first, second = Undoable("first", effects, next="second"), Undoable("second", effects, next="waits")
    return one("undone_cancel", [first, second, BaseHumanStep(name="waits", title="Do we?")])


async def _drive_undone_cancel(client: Client) -> None:
    instance = await client.start("undone_cancel")
    await client.until(instance, lambda found: found.current_step == "waits")
    await client.cancel(instance, "enough")
    await client.end_of(instance)


def _dead_letter(effects: Effects) -> list[WorkflowDefinition]:
    fork = ParallelGateway(name="fork")
    needs, waits, join = NeedsHelp("needs", effects), BaseHumanStep(name="waits", title="Do we?"), Work("join", effects)
    return one("dead_letter", [fork, needs, waits, join], [(fork, needs), (fork, waits), (needs, join), (waits, join)])


async def _drive_dead_letter(client: Client) -> None:
    mended, given_up = await client.start("dead_letter"), await client.start("dead_letter")
    await client.retry(mended)
    await client.retry(mended, data={"helped": True})
    await client.until(mended, lambda found: found.current_step == "waits")
    await client.complete(mended, "waits", "ann", {"yes": True})
    await client.end_of(mended)
    await client.discard(given_up)


def _limits(effects: Effects) -> list[WorkflowDefinition]:
    call = Work("call", effects, takes_s=2.0, concurrency=2)
    mail = Work("mail", effects, rate=RateLimit(2, per=timedelta(seconds=8)))
    definition = WorkflowDefinition(
        "limits", steps=[call, mail], edges=[(call, mail)], concurrency=ConcurrencyLimit(3), queue="mail", priority=2
    )
    return [definition]


async def _drive_limits(client: Client) -> None:
    started = [await client.start("limits", {"number": number}) for number in range(5)]
    for instance_id in started:
        await client.end_of(instance_id)


SCENARIOS = [
    story("linear", _linear),
    story("long", _long),
    story("parallel", _parallel),
    story("first_of_two", _first_of_two, compares_executions=False, result=lambda instance: instance.data["join"]),
    story("for_each", _for_each, _drive_for_each),
    story("groups", _groups),
    story("timer", _timer),
    story("human", _human, _drive_human),
    story("race", _race),
    story("webhook", _webhook, _drive_webhook),
    story("cancel", _cancel, _drive_cancel),
    story("failure", _failure, _drive_failure),
    story("many", _many, _drive_many),
    story("retries", _retries),
    story("timeout", _timeout),
    story("compensation", _compensation),
    story("undone_cancel", _undone_cancel, _drive_undone_cancel),
    story("limits", _limits, _drive_limits),
    story("dead_letter", _dead_letter, _drive_dead_letter),
]
