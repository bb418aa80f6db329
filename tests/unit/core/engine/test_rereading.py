"""Those who have to read an instance again at once share one read."""

from __future__ import annotations

import asyncio
import gc
from typing import Any
from uuid import UUID

import pytest

from workflows_core.adapters.memory import InMemoryWorkflowStore
from workflows_core.engine.rereading import Rereading
from workflows_core.errors import InstanceNotFoundError, StoreUnavailableError
from workflows_core.ports.store import Loaded
from workflows_testing.builders import a_for_each_graph, an_instance


class Counting(InMemoryWorkflowStore):
    """A store that notes what it is asked, and answers in a later turn of the event loop."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[set[int], bool]] = []
        self.answers = asyncio.Event()
        self.answers.set()
        self.fails = False  # when it is cancelled, and not at once

    async def load(self, instance_id: UUID, **options: Any) -> Loaded | None:
        self.asked.append((set(options["scopes"]), options["all_items"]))
        await asyncio.sleep(0)
        try:
            await self.answers.wait()
        except asyncio.CancelledError:
            if not self.fails:
                raise
            for _ in range(5):
                await asyncio.sleep(0)
            reason = "it is away"
            raise StoreUnavailableError(reason) from None
        return await super().load(instance_id, **options)


@pytest.fixture
async def store() -> Counting:
    return Counting()


@pytest.fixture
async def instance_id(store: Counting) -> UUID:
    run = an_instance(a_for_each_graph(concurrency=3), data={"orders": [1, 2, 3]})
    await store.commit([run.start()])
    return run.id


async def test_all_who_ask_at_once_share_a_read(store: Counting, instance_id: UUID) -> None:
    rereading = Rereading(store)
    asked = [rereading.read(instance_id, scopes=(scope,)) for scope in (0, 3, 4)]
    first, *others = await asyncio.gather(*asked, rereading.read(instance_id, scopes=(3,)))
    assert store.asked == [({0, 3, 4}, False)]
    assert all(other is first for other in others)
    assert {3, 4} <= first.scopes.keys()


async def test_all_items_are_read_if_one_of_them_needs_all(store: Counting, instance_id: UUID) -> None:
    rereading = Rereading(store)
    await asyncio.gather(
        rereading.read(instance_id, scopes=(3,)), rereading.read(instance_id, scopes=(4,), all_items=True)
    )
    assert store.asked == [({3, 4}, True)]


async def test_whoever_asks_while_a_read_is_under_way_has_one_of_his_own(store: Counting, instance_id: UUID) -> None:
    rereading = Rereading(store)
    first = asyncio.create_task(rereading.read(instance_id, scopes=(3,)))
    while not store.asked:
        await asyncio.sleep(0)
    await rereading.read(instance_id, scopes=(3,))
    await first
    assert len(store.asked) == 2


async def test_one_who_gives_up_takes_nothing_from_the_others(store: Counting, instance_id: UUID) -> None:
    rereading = Rereading(store)
    first, other = (asyncio.create_task(rereading.read(instance_id, scopes=(3,))) for _ in range(2))
    while not store.asked:
        await asyncio.sleep(0)
    first.cancel()
    assert (await other).id == instance_id
    assert len(store.asked) == 1


async def test_all_are_told_that_there_is_no_such_instance(store: Counting) -> None:
    rereading = Rereading(store)
    asked = [rereading.read(UUID(int=1), scopes=()) for _ in range(2)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(answer) for answer in answers] == [InstanceNotFoundError] * 2


async def test_a_read_that_nobody_waits_for_any_more_ends(store: Counting, instance_id: UUID) -> None:
    rereading = Rereading(store)
    store.answers.clear()
    asked = [asyncio.create_task(rereading.read(instance_id, scopes=(3,))) for _ in range(2)]
    while not store.asked:
        await asyncio.sleep(0)
    for one in asked:
        one.cancel()
    async with asyncio.timeout(5):
        await asyncio.gather(*asked, return_exceptions=True)
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
    store.answers.set()
    assert (await rereading.read(instance_id, scopes=(3,))).id == instance_id


async def test_a_read_that_fails_when_nobody_waits_any_more_says_nothing(
    store: Counting, instance_id: UUID, caplog: pytest.LogCaptureFixture
) -> None:
    rereading = Rereading(store)
    store.fails = True
    store.answers.clear()
    asked = asyncio.create_task(rereading.read(instance_id, scopes=(3,)))
    while not store.asked:
        await asyncio.sleep(0)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    for _ in range(10):
        await asyncio.sleep(0)
    gc.collect()
    assert caplog.records == []
