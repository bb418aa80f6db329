"""Rules of the store: tenants take turns, so that one that has much to do does not hold up another."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from workflows_core.domain.types import WorkflowStatus
from workflows_core.ports.executor import WorkRef
from workflows_core.ports.store import Claim, WorkflowStore
from workflows_testing.builders import Run, a_graph, an_instance, with_work
from workflows_testing.conformance.contract import MovableClock, StoreContract, claim, commit, has_due, seconds

__all__ = ["FairnessRules"]

MANY = 40


async def start_of(
    store: WorkflowStore, clock: MovableClock, tenant: str, number: int = 1, *, queue: str = "default", **changes: Any
) -> list[Run]:
    """Start instances of a tenant, one after the other, with further changes of their first work."""
    runs = [an_instance(a_graph(queue=queue), tenant=tenant) for _ in range(number)]
    for run in runs:
        await commit(store, with_work(run.start(), **changes))
        clock.advance(seconds(0.001))
    return runs


class Owners:
    """Who started what, as the rules know it and not as the store says."""

    def __init__(self, **runs: Iterable[Run]) -> None:
        self._of: dict[UUID, str] = {run.id: name for name, started in runs.items() for run in started}

    def of(self, claims: Iterable[Claim]) -> str:
        """Names of the tenants of claims, one letter for each."""
        return "".join(self._of[claimed.state.id] for claimed in claims)

    async def one_by_one(self, store: WorkflowStore, number: int, **wanted: Any) -> str:
        """Names of the tenants whose work is given if it is claimed piece by piece."""
        return "".join([self.of(await claim(store, limit=1, **wanted)) for _ in range(number)])


class FairnessRules(StoreContract):
    """Turns of tenants, in `WorkflowStore.claim`."""

    async def test_a_tenant_with_much_to_do_does_not_hold_up_another(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        flood = await start_of(store, clock, "acme", 20)
        single = await start_of(store, clock, "zoo")
        owners = Owners(a=flood, z=single)
        assert "z" in await owners.one_by_one(store, 2)

    async def test_tenants_take_turns_from_claim_to_claim(self, store: WorkflowStore, clock: MovableClock) -> None:
        owners = Owners(**{name: await start_of(store, clock, name, 4) for name in "cab"})
        given = await owners.one_by_one(store, 9)
        assert [sorted(given[turn : turn + 3]) for turn in (0, 3, 6)] == [["a", "b", "c"]] * 3

    async def test_claims_of_several_go_on_where_the_last_one_stopped(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        owners = Owners(**{name: await start_of(store, clock, name, 10) for name in "abc"})
        given = "".join([owners.of(await claim(store, limit=2)) for _ in range(6)])
        assert {name: given.count(name) for name in "abc"} == {"a": 4, "b": 4, "c": 4}

    async def test_the_first_of_each_tenant_comes_before_the_second_of_any(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        owners = Owners(
            a=await start_of(store, clock, "a", 9),
            b=await start_of(store, clock, "b"),
            c=await start_of(store, clock, "c", 2),
        )
        given = owners.of(await claim(store, limit=7))
        assert (sorted(given[:3]), sorted(given[3:5]), given[5:]) == (["a", "b", "c"], ["a", "c"], "aa")

    async def test_the_most_urgent_comes_first_whoever_it_belongs_to(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        low = await start_of(store, clock, "b", 2)
        urgent = await start_of(store, clock, "a", 3, priority=5)
        owners = Owners(b=low, a=urgent)
        assert owners.of(await claim(store, limit=2)) == "aa"
        assert owners.of(await claim(store, limit=2)) == "ab"

    async def test_of_one_tenant_the_earliest_due_comes_first(self, store: WorkflowStore, clock: MovableClock) -> None:
        mine = await start_of(store, clock, "mine", 3)
        theirs = await start_of(store, clock, "theirs", 5)
        mine += await start_of(store, clock, "mine", 2)
        given = [claimed.state.id for _ in range(5) for claimed in await claim(store, limit=2)]
        for runs in (mine, theirs):
            of_tenant = [run.id for run in runs]
            assert [one for one in given if one in of_tenant] == of_tenant

    async def test_no_tenant_of_many_is_left_out(self, store: WorkflowStore, clock: MovableClock) -> None:
        flood = await start_of(store, clock, "tenant-17", 60)
        singles = [(await start_of(store, clock, f"tenant-{number}"))[0] for number in range(100, 100 + MANY)]
        owners = Owners(f=flood, s=singles)
        given = "".join([owners.of(await claim(store, limit=4)) for _ in range(MANY // 4 + 1)])
        assert given.count("s") == MANY

    async def test_a_claim_gives_as_much_as_was_asked_for_if_it_is_due(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        for number, much in enumerate((1, 1, 12, 3, 1)):
            await start_of(store, clock, f"tenant-{number}", much)
        assert [len(await claim(store, limit=8)) for _ in range(3)] == [8, 8, 2]

    async def test_a_claim_gives_work_of_more_tenants_than_a_few(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        for number in range(MANY):
            await start_of(store, clock, f"tenant-{number}")
        assert len(await claim(store, limit=MANY - 3)) == MANY - 3

    async def test_tenants_whose_work_cannot_be_given_do_not_stand_before_others(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        for number in range(MANY):
            (run,) = await start_of(store, clock, f"tenant-{number}")
            await commit(store, run.touch(status=WorkflowStatus.PAUSED))
        (able,) = await start_of(store, clock, "zoo")
        assert await has_due(store)
        assert [claimed.state.id for claimed in await claim(store, limit=1)] == [able.id]

    async def test_work_that_has_come_due_does_not_hold_up_other_tenants(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        flood = await start_of(store, clock, "acme", 20, delay_s=60.0)
        clock.advance(seconds(120))
        owners = Owners(a=flood, z=await start_of(store, clock, "zoo"))
        assert "z" in await owners.one_by_one(store, 2)

    async def test_work_that_has_come_due_takes_turns(self, store: WorkflowStore, clock: MovableClock) -> None:
        flood = await start_of(store, clock, "acme", 20, delay_s=60.0)
        owners = Owners(a=flood, z=await start_of(store, clock, "zoo", delay_s=60.0))
        clock.advance(seconds(120))
        assert "z" in owners.of(await claim(store, limit=2))

    async def test_work_that_was_given_back_takes_turns(self, store: WorkflowStore, clock: MovableClock) -> None:
        flood = await start_of(store, clock, "acme", 20)
        given = await claim(store, limit=10)
        owners = Owners(a=flood, z=await start_of(store, clock, "zoo"))
        await store.release("worker-1", [claimed.lease for claimed in given])
        assert "z" in await owners.one_by_one(store, 2)

    async def test_work_of_dead_workers_takes_turns(self, store: WorkflowStore, clock: MovableClock) -> None:
        flood = await start_of(store, clock, "acme", 20)
        owners = Owners(a=flood, z=await start_of(store, clock, "zoo"))
        await claim(store, limit=21, lease_s=10)
        clock.advance(seconds(11))
        assert "z" in await owners.one_by_one(store, 2)

    async def test_work_whose_time_is_over_takes_turns(self, store: WorkflowStore, clock: MovableClock) -> None:
        flood = await start_of(store, clock, "acme", 20, timeout_s=30.0)
        owners = Owners(a=flood, z=await start_of(store, clock, "zoo", timeout_s=30.0))
        clock.advance(seconds(60))
        assert "z" in await owners.one_by_one(store, 2)

    async def test_all_kinds_of_due_work_of_a_tenant_are_one_row(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        (delayed,) = await start_of(store, clock, "a", delay_s=0.5)
        (limited,) = await start_of(store, clock, "a", timeout_s=10.0)
        clock.advance(seconds(20))
        (fresh,) = await start_of(store, clock, "a")
        others = await start_of(store, clock, "b", 3)
        given = [claimed.state.id for claimed in await claim(store, limit=6)]
        assert sorted(given[:2]) == sorted([delayed.id, others[0].id])
        assert sorted(given[2:4]) == sorted([limited.id, others[1].id])
        assert sorted(given[4:]) == sorted([fresh.id, others[2].id])

    async def test_each_choice_of_queues_has_its_own_turns(self, store: WorkflowStore, clock: MovableClock) -> None:
        owners = Owners(
            **{name: await start_of(store, clock, name, 6, queue="mail") for name in "ab"},
            c=await start_of(store, clock, "b", 6, queue="video"),
        )
        given = ""
        for _ in range(4):
            given += await owners.one_by_one(store, 1, queues=frozenset({"mail"}))
            assert await owners.one_by_one(store, 1, queues=frozenset({"video"})) == "c"
        assert given.count("a") == given.count("b") == 2

    async def test_urgent_work_does_not_change_the_turns_of_other_work(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        owners = Owners(**{name: await start_of(store, clock, name, 6) for name in "abc"})
        given = ""
        for _ in range(6):
            await start_of(store, clock, "a", priority=5)
            assert len(await claim(store, limit=1)) == 1
            given += await owners.one_by_one(store, 1)
        assert {name: given.count(name) for name in "abc"} == {"a": 2, "b": 2, "c": 2}

    async def test_work_that_is_asked_for_takes_no_turns(self, store: WorkflowStore, clock: MovableClock) -> None:
        runs = [*await start_of(store, clock, "a", 3), *await start_of(store, clock, "b")]
        items = tuple(WorkRef(run.id, run.number("first")) for run in reversed(runs))
        assert [claimed.state.id for claimed in await claim(store, items=items)] == [run.id for run in runs]

    async def test_workers_that_claim_at_once_get_the_work_of_several_tenants_once(
        self, store: WorkflowStore, peer: WorkflowStore, clock: MovableClock
    ) -> None:
        for name, much in (("a", 20), ("b", 7), ("c", 1), ("d", 12)):
            await start_of(store, clock, name, much)
        claims = (claim((store, peer)[number % 2], f"worker-{number}", limit=5) for number in range(8))
        refs = [claimed.ref for given in await asyncio.gather(*claims) for claimed in given]
        while more := await claim(store, "worker-last", limit=10):
            refs += [claimed.ref for claimed in more]
            assert len(refs) <= 40
        assert len(refs) == len(set(refs)) == 40
