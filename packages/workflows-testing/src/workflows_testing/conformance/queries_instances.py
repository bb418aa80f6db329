"""Rules of the queries: instances, one by one, in lists and in numbers."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from workflows_core.domain.actor import Actor
from workflows_core.domain.types import WorkflowStatus
from workflows_core.errors import InvalidCursorError
from workflows_core.ports.cursors import decode_cursor, encode_cursor, instance_order, task_order
from workflows_core.ports.queries import (
    InstanceFilter,
    InstanceRecord,
    PageRequest,
    TaskFilter,
    WorkflowQueries,
)
from workflows_core.ports.store import WorkflowStore
from workflows_testing.builders import Run, a_graph, a_parallel_graph, a_task_graph, an_instance
from workflows_testing.conformance.contract import MovableClock, StoreContract, commit, seconds, start

__all__ = ["InstanceRules"]

RUNNING, WAITING = WorkflowStatus.RUNNING, WorkflowStatus.WAITING


async def start_some(store: WorkflowStore, clock: MovableClock, number: int, *, apart_s: float = 1.0) -> list[UUID]:
    """Start instances one after the other; gives their identities, oldest first."""
    ids = []
    for _ in range(number):
        clock.advance(seconds(apart_s))
        ids.append((await start(store, an_instance(now=clock.now()))).id)
    return ids


async def ids_of(queries: WorkflowQueries, where: InstanceFilter | None = None, **page: Any) -> list[UUID]:
    """Identities of a page of instances."""
    found = await queries.list_instances(where or InstanceFilter(descending=False), PageRequest(**page))
    return [record.id for record in found.items]


async def walk(queries: WorkflowQueries, where: InstanceFilter, limit: int) -> list[UUID]:
    """Identities of all pages, by following the cursors."""
    ids: list[UUID] = []
    cursor: str | None = None
    for _ in range(100):
        page = await queries.list_instances(where, PageRequest(limit=limit, cursor=cursor))
        ids.extend(record.id for record in page.items)
        cursor = page.next_cursor
        if cursor is None:
            return ids
    pytest.fail("the cursors go on for ever")


async def record_of(queries: WorkflowQueries, run: Run) -> InstanceRecord:
    """The record of an instance that must be there."""
    record = await queries.get_instance(run.id)
    assert record is not None, "an instance that was committed is not found"
    return record


class InstanceRules(StoreContract):
    """`WorkflowQueries.get_instance`, `list_instances` and `count_instances`."""

    async def test_a_record_tells_what_an_instance_is(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        began = clock.now()
        graph = a_graph(name="refund", version="2.1.0")
        run = await start(store, an_instance(graph, actor=Actor("ann", tenant="acme"), now=began))
        updated = clock.advance(seconds(30.000001))
        await commit(store, run.complete("first"))
        assert await record_of(queries, run) == InstanceRecord(
            id=run.id,
            workflow_name="refund",
            workflow_version="2.1.0",
            graph_hash=graph.hash,
            status=RUNNING,
            current_step="second",
            tenant_id="acme",
            created_by="ann",
            started_at=began,
            updated_at=updated,
            completed_at=None,
            error=None,
            revision=2,
        )

    async def test_the_record_of_a_completed_instance_tells_when_it_was_over(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        run = await start(store, an_instance(a_graph("only")))
        over = clock.advance(seconds(30))
        await commit(store, run.complete("only"))
        record = await record_of(queries, run)
        assert (record.status, record.current_step) == ("completed", None)
        assert (record.completed_at, record.updated_at) == (over, over)

    async def test_the_record_of_a_failed_instance_tells_why(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await start(store, an_instance())
        await commit(store, run.fail("first", "out of stock"))
        record = await record_of(queries, run)
        assert record.status == "failed"
        assert record.error is not None
        assert (record.error.step, record.error.message) == ("first", "out of stock")
        assert record.completed_at is not None

    async def test_the_record_of_a_cancelled_instance_says_so(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await start(store, an_instance())
        await commit(store, run.cancel())
        record = await record_of(queries, run)
        assert (record.status, record.current_step) == ("canceled", None)
        assert record.completed_at is not None

    async def test_an_instance_that_is_over_at_once_has_an_end(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        run = an_instance()
        await commit(store, run.touch(status=WorkflowStatus.COMPLETED))
        assert (await record_of(queries, run)).completed_at == clock.now()

    async def test_the_current_step_is_the_one_entered_first(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await start(store, an_instance(a_parallel_graph("zulu", "alpha")))
        assert (await record_of(queries, run)).current_step == "zulu"
        await commit(store, run.complete("zulu"))
        assert (await record_of(queries, run)).current_step == "alpha"

    async def test_an_unknown_instance_is_not_found(self, queries: WorkflowQueries) -> None:
        assert await queries.get_instance(an_instance().id) is None

    async def test_an_instance_is_found_by_its_tenant_alone(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await start(store, an_instance(tenant="acme"))
        assert await queries.get_instance(run.id, tenant="umbrella") is None
        assert await queries.get_instance(run.id, tenant="") is None
        assert await queries.get_instance(run.id, tenant="acme") is not None

    async def test_without_instances_the_list_is_empty(self, queries: WorkflowQueries) -> None:
        page = await queries.list_instances(InstanceFilter(), PageRequest(with_total=True))
        assert (page.items, page.next_cursor, page.total) == ((), None, 0)

    async def test_a_list_shows_the_same_records_as_the_single_query(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await start(store, an_instance(tenant="acme"))
        page = await queries.list_instances(InstanceFilter(), PageRequest())
        assert page.items == (await record_of(queries, run),)

    async def test_instances_are_listed_newest_first(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        ids = await start_some(store, clock, 4, apart_s=0.000001)
        assert await ids_of(queries, InstanceFilter()) == ids[::-1]

    async def test_instances_can_be_listed_oldest_first(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        ids = await start_some(store, clock, 4, apart_s=0.000001)
        assert await ids_of(queries, InstanceFilter(descending=False)) == ids

    async def test_instances_can_be_listed_by_their_last_change(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        runs = [await start(store, an_instance(now=clock.now())) for _ in range(3)]
        for run in (runs[1], runs[2], runs[0]):
            clock.advance(seconds(0.000001))
            await commit(store, run.complete("first"))
        changed = [runs[1].id, runs[2].id, runs[0].id]
        assert await ids_of(queries, InstanceFilter(order_by="updated_at", descending=False)) == changed
        assert await ids_of(queries, InstanceFilter(order_by="updated_at")) == changed[::-1]

    async def test_instances_of_one_moment_are_listed_by_identity_in_the_direction_of_the_list(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        runs = [an_instance(now=clock.now()) for _ in range(4)]
        await store.commit([runs[place].start() for place in (2, 0, 3, 1)])
        ids = [run.id for run in runs]
        assert await ids_of(queries, InstanceFilter(descending=False)) == ids
        assert await ids_of(queries, InstanceFilter(descending=True)) == ids[::-1]

    async def test_a_page_has_no_more_than_its_limit(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        ids = await start_some(store, clock, 5)
        assert await ids_of(queries, limit=2) == ids[:2]

    async def test_the_cursors_lead_through_the_whole_list(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        ids = await start_some(store, clock, 7, apart_s=0.000001)
        for where in (InstanceFilter(descending=False), InstanceFilter(descending=False, order_by="updated_at")):
            assert await walk(queries, where, 3) == ids
        assert await walk(queries, InstanceFilter(), 2) == ids[::-1]

    async def test_the_cursors_lead_through_instances_of_one_moment(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        runs = [an_instance(now=clock.now()) for _ in range(7)]
        await store.commit([run.start() for run in reversed(runs)])
        ids = [run.id for run in runs]
        assert await walk(queries, InstanceFilter(descending=False), 2) == ids
        assert await walk(queries, InstanceFilter(), 3) == ids[::-1]

    async def test_the_last_page_has_no_cursor_even_if_it_is_full(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        await start_some(store, clock, 4)
        page = await queries.list_instances(InstanceFilter(), PageRequest(limit=4))
        assert page.next_cursor is None

    async def test_a_page_shows_nothing_twice_when_instances_come_before_it(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        ids = await start_some(store, clock, 4)
        first = await queries.list_instances(InstanceFilter(), PageRequest(limit=2))
        await start_some(store, clock, 3)
        assert await ids_of(queries, InstanceFilter(), cursor=first.next_cursor) == ids[1::-1]

    async def test_a_page_leaves_out_nothing_when_instances_before_it_go(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        runs = []
        for _ in range(5):
            clock.advance(seconds(1))
            runs.append(await start(store, an_instance(now=clock.now())))
        where = InstanceFilter(statuses=(RUNNING,), descending=False)
        first = await queries.list_instances(where, PageRequest(limit=2))
        await commit(store, runs[0].cancel())
        await commit(store, runs[1].cancel())
        assert await ids_of(queries, where, cursor=first.next_cursor) == [run.id for run in runs[2:]]

    async def test_an_offset_leaves_out_the_first_of_the_list(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        ids = await start_some(store, clock, 5)
        assert await ids_of(queries, limit=2, offset=2) == ids[2:4]
        assert await ids_of(queries, offset=9) == []

    async def test_the_cursor_of_a_page_at_an_offset_goes_on_after_it(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        ids = await start_some(store, clock, 5)
        page = await queries.list_instances(InstanceFilter(descending=False), PageRequest(limit=2, offset=1))
        assert await ids_of(queries, cursor=page.next_cursor) == ids[3:]

    async def test_a_cursor_wins_over_an_offset(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        ids = await start_some(store, clock, 5)
        page = await queries.list_instances(InstanceFilter(descending=False), PageRequest(limit=2))
        assert await ids_of(queries, cursor=page.next_cursor, offset=4) == ids[2:]

    async def test_all_that_match_are_counted_when_asked_for(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        await start_some(store, clock, 5)
        await start(store, an_instance(a_task_graph()))
        where = InstanceFilter(statuses=(RUNNING,))
        first = await queries.list_instances(where, PageRequest(limit=2, with_total=True))
        assert first.total == 5
        later = await queries.list_instances(where, PageRequest(limit=2, with_total=True, cursor=first.next_cursor))
        assert later.total == 5

    async def test_nothing_is_counted_when_not_asked_for(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        await start_some(store, clock, 2)
        assert (await queries.list_instances(InstanceFilter(), PageRequest())).total is None

    async def test_a_cursor_that_nobody_made_is_refused(self, queries: WorkflowQueries) -> None:
        for cursor in ("", "garbage", "🙂", "eyJ9", "a" * 5000):
            with pytest.raises(InvalidCursorError):
                await queries.list_instances(InstanceFilter(), PageRequest(cursor=cursor))

    async def test_a_cursor_of_another_order_is_refused(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        await start_some(store, clock, 3)
        page = await queries.list_instances(InstanceFilter(), PageRequest(limit=1))
        for other in (InstanceFilter(descending=False), InstanceFilter(order_by="updated_at")):
            with pytest.raises(InvalidCursorError):
                await queries.list_instances(other, PageRequest(cursor=page.next_cursor))

    async def test_a_cursor_of_tasks_is_refused_for_instances(self, queries: WorkflowQueries) -> None:
        cursor = encode_cursor(task_order(TaskFilter()), datetime.fromisoformat("2026-01-01T00:00:00Z"), UUID(int=1))
        with pytest.raises(InvalidCursorError):
            await queries.list_instances(InstanceFilter(), PageRequest(cursor=cursor))

    async def test_a_cursor_is_written_as_all_stores_write_it(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        await start_some(store, clock, 2, apart_s=1.000001)
        page = await queries.list_instances(InstanceFilter(), PageRequest(limit=1))
        assert page.next_cursor is not None
        place = decode_cursor(page.next_cursor, instance_order(InstanceFilter()))
        assert place == (page.items[0].started_at, page.items[0].id)

    async def test_instances_are_found_by_tenant(self, store: WorkflowStore, queries: WorkflowQueries) -> None:
        acme = await start(store, an_instance(tenant="acme"))
        without = await start(store, an_instance())
        await start(store, an_instance(tenant="umbrella"))
        assert await ids_of(queries, InstanceFilter(tenant="acme")) == [acme.id]
        assert await ids_of(queries, InstanceFilter(tenant="")) == [without.id]
        assert len(await ids_of(queries, InstanceFilter(tenant=None))) == 3

    async def test_instances_are_found_by_workflow(self, store: WorkflowStore, queries: WorkflowQueries) -> None:
        refund = await start(store, an_instance(a_graph(name="refund")))
        await start(store, an_instance(a_graph(name="order")))
        assert await ids_of(queries, InstanceFilter(workflow_name="refund")) == [refund.id]

    async def test_instances_are_found_by_version(self, store: WorkflowStore, queries: WorkflowQueries) -> None:
        newer = await start(store, an_instance(a_graph(version="2.0.0")))
        await start(store, an_instance(a_graph(version="1.0.0")))
        assert await ids_of(queries, InstanceFilter(workflow_version="2.0.0")) == [newer.id]

    async def test_instances_are_found_by_any_of_several_statuses(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        running = await start(store, an_instance())
        waiting = await start(store, an_instance(a_task_graph()))
        over = await start(store, an_instance())
        await commit(store, over.cancel())
        assert await ids_of(queries, InstanceFilter(statuses=(WAITING,))) == [waiting.id]
        found = await ids_of(queries, InstanceFilter(statuses=(RUNNING, WorkflowStatus.CANCELED)))
        assert set(found) == {running.id, over.id}

    async def test_instances_are_found_by_who_started_them(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        bob = await start(store, an_instance(actor=Actor("bob")))
        await start(store, an_instance(actor=Actor("ann")))
        assert await ids_of(queries, InstanceFilter(created_by="bob")) == [bob.id]

    async def test_instances_are_found_from_a_start_time_on(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        ids = await start_some(store, clock, 3, apart_s=0.000001)
        where = InstanceFilter(started_after=clock.now() - seconds(0.000001), descending=False)
        assert await ids_of(queries, where) == ids[1:]

    async def test_instances_are_found_before_a_start_time(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        ids = await start_some(store, clock, 3, apart_s=0.000001)
        where = InstanceFilter(started_before=clock.now(), descending=False)
        assert await ids_of(queries, where) == ids[:2]

    async def test_every_restriction_must_hold(self, store: WorkflowStore, queries: WorkflowQueries) -> None:
        both = await start(store, an_instance(a_graph(name="refund"), tenant="acme"))
        await start(store, an_instance(a_graph(name="refund"), tenant="umbrella"))
        await start(store, an_instance(a_graph(name="order"), tenant="acme"))
        where = InstanceFilter(tenant="acme", workflow_name="refund")
        assert await ids_of(queries, where) == [both.id]

    async def test_instances_are_counted_by_status(self, store: WorkflowStore, queries: WorkflowQueries) -> None:
        for graph in (a_graph(), a_graph(), a_task_graph()):
            await start(store, an_instance(graph))
        assert await queries.count_instances(InstanceFilter()) == {RUNNING: 2, WAITING: 1}

    async def test_only_instances_that_match_are_counted(self, store: WorkflowStore, queries: WorkflowQueries) -> None:
        await start(store, an_instance(tenant="acme"))
        await start(store, an_instance(tenant="umbrella"))
        assert await queries.count_instances(InstanceFilter(tenant="acme")) == {RUNNING: 1}
        assert await queries.count_instances(InstanceFilter(tenant="other")) == {}
