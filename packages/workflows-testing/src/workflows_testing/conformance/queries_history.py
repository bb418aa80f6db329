"""Rules of the queries: what happened to an instance, what is still to be done, and which definitions there are."""

from __future__ import annotations

import math
from uuid import UUID

from workflows_core.domain.events import Event, RecordedEvent
from workflows_core.domain.types import WorkflowStatus
from workflows_core.ports.queries import DefinitionRecord, ExecutionRecord, WorkflowQueries
from workflows_core.ports.store import WorkflowStore, Write
from workflows_testing.builders import (
    Run,
    a_graph,
    a_parallel_graph,
    a_task_graph,
    a_timer_graph,
    a_webhook_graph,
    an_instance,
    with_transition,
    with_work,
)
from workflows_testing.conformance.contract import (
    MovableClock,
    StoreContract,
    claim,
    claim_one,
    commit,
    held_by,
    seconds,
    start,
)

__all__ = ["HistoryRules"]


class HistoryRules(StoreContract):
    """`WorkflowQueries.list_executions`, `list_events`, `list_work`, `list_definitions` and `find_stalled`."""

    async def test_a_finished_execution_is_recorded_with_the_time_of_its_commit(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        run = await start(store, an_instance())
        moment = clock.advance(seconds(4.000001))
        write = run.complete("first", result={"weight": 7})
        await commit(store, write)
        (execution,) = write.transition.executions
        assert list(await queries.list_executions(run.id)) == [ExecutionRecord(execution, moment)]

    async def test_a_failed_execution_is_recorded_with_its_error(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await start(store, an_instance())
        write = run.fail("first", "out of stock")
        await commit(store, write)
        (record,) = await queries.list_executions(run.id)
        assert record.execution == write.transition.executions[0]
        assert record.execution.error is not None

    async def test_executions_are_listed_in_the_order_of_their_entry(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await start(store, an_instance(a_parallel_graph("one", "two", "three")))
        for step in ("three", "one", "two"):
            await commit(store, run.complete(step))
        names = [record.execution.step_name for record in await queries.list_executions(run.id)]
        assert names == ["split", "one", "two", "three"]

    async def test_executions_are_listed_after_a_number(self, store: WorkflowStore, queries: WorkflowQueries) -> None:
        run = await start(store, an_instance())
        for step in ("first", "second", "third"):
            await commit(store, run.complete(step))
        numbers = [record.execution.number for record in await queries.list_executions(run.id)]
        rest = await queries.list_executions(run.id, after=numbers[0])
        assert [record.execution.number for record in rest] == numbers[1:]

    async def test_no_more_executions_are_listed_than_asked_for(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await start(store, an_instance())
        for step in ("first", "second", "third"):
            await commit(store, run.complete(step))
        found = await queries.list_executions(run.id, limit=2)
        assert [record.execution.step_name for record in found] == ["first", "second"]

    async def test_executions_are_those_of_one_instance(self, store: WorkflowStore, queries: WorkflowQueries) -> None:
        run, other = await start(store, an_instance()), await start(store, an_instance())
        await commit(store, run.complete("first"))
        assert list(await queries.list_executions(other.id)) == []
        assert list(await queries.list_executions(an_instance().id)) == []

    async def test_events_are_recorded_with_their_place_time_and_actor(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        run = await start(store, an_instance(a_graph("only")))
        moment = clock.advance(seconds(4.000001))
        write = with_transition(run.complete("only"), actor="worker-7")
        await commit(store, write)
        recorded = [event for event in await queries.list_events(run.id) if event.revision == 2]
        assert [event.event for event in recorded] == list(write.transition.events)
        assert [event.position for event in recorded] == [0, 1]
        assert {event.at for event in recorded} == {moment}
        assert {event.actor for event in recorded} == {"worker-7"}

    async def test_events_of_every_kind_come_back_as_they_were(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        runs = [an_instance(graph, tenant="acme") for graph in (a_task_graph(), a_task_graph(), a_graph("only"))]
        expected: dict[UUID, list[Event]] = {run.id: [] for run in runs}
        done, cancelled, failed = runs

        async def happens(run: Run, write: Write) -> None:
            expected[run.id].extend(write.transition.events)
            await commit(store, write)

        for run in runs:
            await happens(run, run.start())
        await happens(done, done.reassign("review", "carl"))
        await happens(done, done.complete_task("review", {"approved": True}, comment="fine"))
        await happens(done, done.complete("publish"))
        await happens(cancelled, cancelled.cancel())
        await happens(failed, failed.fail("only", "broke"))
        for run in runs:
            assert [event.event for event in await queries.list_events(run.id)] == expected[run.id]

    async def test_events_are_listed_by_revision_and_position(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await start(store, an_instance(a_parallel_graph()))
        for step in ("right", "left", "join"):
            await commit(store, run.complete(step))
        places = [(event.revision, event.position) for event in await queries.list_events(run.id)]
        assert places == sorted(places)
        assert {revision for revision, _ in places} == {1, 2, 3, 4}

    async def test_events_are_listed_after_a_revision(self, store: WorkflowStore, queries: WorkflowQueries) -> None:
        run = await start(store, an_instance())
        for step in ("first", "second", "third"):
            await commit(store, run.complete(step))
        found = await queries.list_events(run.id, after_revision=2)
        assert {event.revision for event in found} == {3, 4}

    async def test_a_revision_is_listed_whole_or_not_at_all(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await start(store, an_instance(a_graph("first", "second")))
        for step in ("first", "second"):
            await commit(store, run.complete(step))
        everything = list(await queries.list_events(run.id))
        for limit in range(1, len(everything) + 1):
            seen = 0
            collected: list[RecordedEvent] = []
            for _ in everything:
                part = await queries.list_events(run.id, after_revision=seen, limit=limit)
                collected.extend(part)
                seen = part[-1].revision if part else seen
            assert collected == everything

    async def test_events_stop_after_the_revision_that_reaches_the_limit(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await start(store, an_instance())
        for step in ("first", "second", "third"):
            await commit(store, run.complete(step))
        assert {event.revision for event in await queries.list_events(run.id, limit=1)} == {1}

    async def test_events_are_those_of_one_instance(self, store: WorkflowStore, queries: WorkflowQueries) -> None:
        run, other = await start(store, an_instance()), await start(store, an_instance())
        await commit(store, run.complete("first"))
        assert {event.event.instance_id for event in await queries.list_events(other.id)} == {other.id}
        assert list(await queries.list_events(an_instance().id)) == []

    async def test_work_is_listed_with_its_moment(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        run = await start(store, an_instance(a_timer_graph(60.000001)))
        (record,) = await queries.list_work(run.id)
        wanted = run.item("wait")
        assert (record.item.number, record.item.kind, record.item.step, record.item.execution) == (
            wanted.number,
            wanted.kind,
            wanted.step,
            wanted.execution,
        )
        assert record.due_at == clock.now() + seconds(60.000001)
        assert (record.worker, record.lease_until, record.attempt) == (None, None, 0)

    async def test_work_is_listed_with_its_holder(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        run = await start(store, an_instance())
        await claim_one(store, "worker-1", lease_s=12.5)
        (record,) = await queries.list_work(run.id)
        assert (record.worker, record.lease_until, record.attempt) == ("worker-1", clock.now() + seconds(12.5), 1)

    async def test_released_work_is_listed_without_a_holder(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        run = await start(store, an_instance())
        claimed = await claim_one(store)
        await store.release("worker-1", [claimed.lease], delay_s=20)
        (record,) = await queries.list_work(run.id)
        assert (record.worker, record.lease_until, record.due_at) == (None, None, clock.now() + seconds(20))

    async def test_work_that_is_never_due_is_listed_without_a_moment(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = an_instance()
        await commit(store, with_work(run.start(), delay_s=math.inf))
        (record,) = await queries.list_work(run.id)
        assert record.due_at is None

    async def test_work_is_listed_by_number(self, store: WorkflowStore, queries: WorkflowQueries) -> None:
        run = an_instance(a_parallel_graph("a", "b", "c", "d"))
        write = run.start()
        await commit(store, with_transition(write, work=dict(reversed(write.transition.work.items()))))
        numbers = [record.item.number for record in await queries.list_work(run.id)]
        assert numbers == sorted(write.transition.work)

    async def test_finished_work_is_not_listed(self, store: WorkflowStore, queries: WorkflowQueries) -> None:
        run = await start(store, an_instance(a_parallel_graph()))
        await commit(store, run.complete("left"))
        assert [record.item.step for record in await queries.list_work(run.id)] == ["right"]

    async def test_work_is_that_of_one_instance(self, store: WorkflowStore, queries: WorkflowQueries) -> None:
        await start(store, an_instance())
        assert list(await queries.list_work(an_instance().id)) == []

    async def test_definitions_are_listed_by_name_then_oldest_first(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        zulu, newer, older = (
            a_graph(name="zulu"),
            a_graph(name="alpha", version="1"),
            a_graph(name="alpha", version="2"),
        )
        for graph in (zulu, older, newer):
            await store.publish([graph])
            clock.advance(seconds(0.000001))
        assert [record.graph for record in await queries.list_definitions()] == [older, newer, zulu]

    async def test_of_one_version_the_newest_content_is_listed_last(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        contents = [a_graph(*"abcdef"[:length]) for length in (3, 1, 4, 2)]
        for graph in contents:
            await store.publish([graph])
            clock.advance(seconds(0.000001))
        assert [record.graph for record in await queries.list_definitions(name="order")] == contents

    async def test_definitions_are_found_by_name(self, store: WorkflowStore, queries: WorkflowQueries) -> None:
        await store.publish([a_graph(name="order"), a_graph(name="refund"), a_graph(name="ORDER")])
        assert [record.graph.name for record in await queries.list_definitions(name="order")] == ["order"]
        assert list(await queries.list_definitions(name="other")) == []

    async def test_a_definition_is_listed_with_the_time_when_it_was_first_stored(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        moment = clock.advance(seconds(4.000001))
        await store.publish([a_graph()])
        assert list(await queries.list_definitions()) == [DefinitionRecord(a_graph(), moment, is_active=True)]

    async def test_instances_that_work_wait_or_are_over_are_not_stalled(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        for graph in (a_graph(), a_task_graph(), a_timer_graph(), a_webhook_graph(), a_parallel_graph()):
            await start(store, an_instance(graph))
        await claim(store, limit=1)
        over = await start(store, an_instance())
        await commit(store, over.cancel())
        assert list(await queries.find_stalled()) == []

    async def test_instances_from_which_nothing_can_come_are_stalled(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await start(store, an_instance())
        await start(store, an_instance())
        await commit(store, with_transition(run.touch(), work={run.number("first"): None}))
        assert list(await queries.find_stalled()) == [run.id]

    async def test_an_instance_whose_task_is_no_longer_open_is_stalled(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await start(store, an_instance(a_task_graph()))
        write = run.complete_task("review")
        await commit(store, with_transition(write, work={}))
        assert list(await queries.find_stalled()) == [run.id]

    async def test_stalled_instances_are_listed_oldest_first_and_no_more_than_asked_for(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        ids = []
        for _ in range(3):
            clock.advance(seconds(1))
            run = an_instance(now=clock.now())
            await commit(store, with_transition(run.start(), work={}))
            ids.append(run.id)
        assert list(await queries.find_stalled()) == ids
        assert list(await queries.find_stalled(limit=2)) == ids[:2]

    async def test_a_completed_instance_has_a_whole_history(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await start(store, an_instance())
        for step in ("first", "second", "third"):
            claimed = await claim_one(store)
            await commit(store, run.complete(step, held=held_by("worker-1", claimed)))
        assert run.state.status is WorkflowStatus.COMPLETED
        assert len(await queries.list_executions(run.id)) == 3
        assert [event.revision for event in await queries.list_events(run.id)] == [1, 2, 3, 4, 4]
        assert list(await queries.list_work(run.id)) == []
