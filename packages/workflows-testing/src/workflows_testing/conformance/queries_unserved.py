"""Rules of the queries: which work is due and taken by nobody."""

from __future__ import annotations

from workflows_core.domain.transition import Rate, Slot
from workflows_core.ports.queries import WorkflowQueries
from workflows_core.ports.store import WorkflowStore
from workflows_testing.builders import a_graph, a_task_graph, a_timer_graph, an_instance, with_work
from workflows_testing.conformance.contract import MovableClock, StoreContract, claim, commit, seconds, start

__all__ = ["UnservedRules"]


class UnservedRules(StoreContract):
    """`WorkflowQueries.find_unserved`."""

    async def test_work_that_nobody_takes_is_unserved_from_that_time_on(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        run = await start(store, an_instance(a_graph("only")))
        clock.advance(seconds(9.9))
        assert not await queries.find_unserved(overdue_s=10)
        clock.advance(seconds(0.1))
        (found,) = await queries.find_unserved(overdue_s=10)
        state = run.state
        assert (found.instance_id, found.tenant_id) == (state.id, state.tenant)
        assert (found.workflow_name, found.workflow_version) == (state.workflow, state.version)
        assert found.work == (await queries.list_work(run.id))[0]

    async def test_what_is_held_waits_or_is_over_is_not_unserved(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        await start(store, an_instance())
        await claim(store, limit=1, lease_s=3600.0)
        await start(store, an_instance(a_task_graph()))
        await start(store, an_instance(a_timer_graph(delay_s=3600.0)))
        over = await start(store, an_instance())
        await commit(store, over.cancel())
        clock.advance(seconds(60))
        assert not await queries.find_unserved(overdue_s=10)

    async def test_work_whose_lease_has_ended_is_unserved_from_then_on(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        run = await start(store, an_instance())
        await claim(store, limit=1, lease_s=30.0)
        clock.advance(seconds(39.9))
        assert not await queries.find_unserved(overdue_s=10)
        clock.advance(seconds(0.1))
        assert [found.instance_id for found in await queries.find_unserved(overdue_s=10)] == [run.id]

    async def test_unserved_work_is_listed_longest_due_first_and_no_more_than_asked_for(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        ids = []
        for _ in range(3):
            ids.append((await start(store, an_instance())).id)
            clock.advance(seconds(1))
        clock.advance(seconds(10))
        assert [found.instance_id for found in await queries.find_unserved(overdue_s=10)] == ids
        assert [found.instance_id for found in await queries.find_unserved(overdue_s=10, limit=2)] == ids[:2]

    async def test_work_that_waits_for_a_slot_or_for_its_rate_is_not_unserved(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        for limit in ({"slot": Slot("api", 1)}, {"rate": Rate("mail", 1, 3600.0)}):
            for _ in range(2):
                await commit(store, with_work(an_instance().start(), **limit))
        held = await claim(store, limit=10, lease_s=100.0)
        assert len(held) == 2
        clock.advance(seconds(60))
        assert not await queries.find_unserved(overdue_s=10)
        clock.advance(seconds(60))
        assert len(await queries.find_unserved(overdue_s=10)) == 2
