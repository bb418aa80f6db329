"""Rules of the queries: the order of tasks, and their pages."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import pytest

from workflows_core.domain.types import TaskStatus
from workflows_core.errors import InvalidCursorError
from workflows_core.ports.cursors import encode_cursor, instance_order
from workflows_core.ports.queries import InstanceFilter, PageRequest, TaskFilter, WorkflowQueries
from workflows_core.ports.store import WorkflowStore
from workflows_testing.builders import an_instance
from workflows_testing.conformance.contract import MovableClock, StoreContract, commit, seconds, start
from workflows_testing.conformance.queries_tasks import a_task

__all__ = ["TaskListRules"]


async def walk(queries: WorkflowQueries, where: TaskFilter, limit: int) -> list[UUID]:
    """Identities of the tasks of all pages, by following the cursors."""
    ids: list[UUID] = []
    cursor: str | None = None
    for _ in range(100):
        page = await queries.list_tasks(where, PageRequest(limit=limit, cursor=cursor))
        ids.extend(task.id for task in page.items)
        cursor = page.next_cursor
        if cursor is None:
            return ids
    pytest.fail("the cursors go on for ever")


class TaskListRules(StoreContract):
    """Orders, limits, offsets, cursors and totals of `WorkflowQueries.list_tasks`."""

    async def test_without_tasks_the_list_is_empty(self, store: WorkflowStore, queries: WorkflowQueries) -> None:
        await start(store, an_instance())
        page = await queries.list_tasks(TaskFilter(), PageRequest(with_total=True))
        assert (page.items, page.next_cursor, page.total) == ((), None, 0)

    async def test_tasks_are_listed_oldest_first(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        ids = []
        for _ in range(8):
            ids.append((await a_task(store)).task("review"))
            clock.advance(seconds(0.000001))
        assert await walk(queries, TaskFilter(), 2) == ids
        assert await walk(queries, TaskFilter(descending=True), 2) == ids[::-1]

    async def test_tasks_without_a_due_date_come_last_in_both_directions(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        due = {due_s: (await a_task(store, due_s=due_s)).task("review") for due_s in (30, 10, 20)}
        without = [(await a_task(store)).task("review") for _ in range(3)]
        dated = [due[10], due[20], due[30]]
        for limit in (1, 2, 4, 10):
            assert await walk(queries, TaskFilter(order_by="due_at"), limit) == [*dated, *sorted(without)]
            expected = [*dated[::-1], *sorted(without, reverse=True)]
            assert await walk(queries, TaskFilter(order_by="due_at", descending=True), limit) == expected

    async def test_tasks_are_listed_by_priority(self, store: WorkflowStore, queries: WorkflowQueries) -> None:
        ids = {priority: (await a_task(store, priority=priority)).task("review") for priority in (50, 100, 0, 7)}
        assert await walk(queries, TaskFilter(order_by="priority"), 3) == [ids[0], ids[7], ids[50], ids[100]]
        descending = TaskFilter(order_by="priority", descending=True)
        assert await walk(queries, descending, 3) == [ids[100], ids[50], ids[7], ids[0]]

    async def test_equal_tasks_are_listed_by_identity_in_the_direction_of_the_list(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        ids = sorted([(await a_task(store)).task("review") for _ in range(7)])
        for order_by in ("created_at", "due_at", "priority"):
            assert await walk(queries, TaskFilter(order_by=order_by), 3) == ids
            assert await walk(queries, TaskFilter(order_by=order_by, descending=True), 2) == ids[::-1]

    async def test_a_page_of_tasks_leaves_out_nothing_when_tasks_are_done(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        runs = []
        for _ in range(5):
            runs.append(await a_task(store))
            clock.advance(seconds(1))
        remaining = [run.task("review") for run in runs[2:]]
        where = TaskFilter(statuses=(TaskStatus.PENDING,))
        first = await queries.list_tasks(where, PageRequest(limit=2))
        await commit(store, runs[0].complete_task("review"))
        await commit(store, runs[1].complete_task("review"))
        following = await queries.list_tasks(where, PageRequest(cursor=first.next_cursor))
        assert [task.id for task in following.items] == remaining

    async def test_an_offset_leaves_out_the_first_tasks(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        ids = []
        for _ in range(4):
            ids.append((await a_task(store)).task("review"))
            clock.advance(seconds(1))
        page = await queries.list_tasks(TaskFilter(), PageRequest(limit=2, offset=1))
        assert [task.id for task in page.items] == ids[1:3]

    async def test_a_cursor_of_tasks_wins_over_an_offset(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        ids = []
        for _ in range(4):
            ids.append((await a_task(store)).task("review"))
            clock.advance(seconds(1))
        first = await queries.list_tasks(TaskFilter(), PageRequest(limit=1))
        page = await queries.list_tasks(TaskFilter(), PageRequest(cursor=first.next_cursor, offset=3))
        assert [task.id for task in page.items] == ids[1:]

    async def test_the_last_page_of_tasks_has_no_cursor_even_if_it_is_full(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        for _ in range(3):
            await a_task(store)
        assert (await queries.list_tasks(TaskFilter(), PageRequest(limit=3))).next_cursor is None

    async def test_all_tasks_that_match_are_counted_when_asked_for(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        for assignee in ("bob", "bob", "bob", "carl"):
            await a_task(store, assignee=assignee)
        page = await queries.list_tasks(TaskFilter(assignee_id="bob"), PageRequest(limit=2, with_total=True))
        assert (len(page.items), page.total) == (2, 3)
        assert (await queries.list_tasks(TaskFilter(), PageRequest())).total is None

    async def test_a_task_cursor_that_nobody_made_is_refused(self, queries: WorkflowQueries) -> None:
        for cursor in ("", "garbage", "🙂"):
            with pytest.raises(InvalidCursorError):
                await queries.list_tasks(TaskFilter(), PageRequest(cursor=cursor))

    async def test_a_task_cursor_of_another_order_is_refused(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        for _ in range(2):
            await a_task(store)
        page = await queries.list_tasks(TaskFilter(), PageRequest(limit=1))
        for other in (TaskFilter(descending=True), TaskFilter(order_by="due_at"), TaskFilter(order_by="priority")):
            with pytest.raises(InvalidCursorError):
                await queries.list_tasks(other, PageRequest(cursor=page.next_cursor))

    async def test_a_cursor_of_instances_is_refused_for_tasks(self, queries: WorkflowQueries) -> None:
        moment = datetime.fromisoformat("2026-01-01T00:00:00Z")
        cursor = encode_cursor(instance_order(InstanceFilter()), moment, UUID(int=1))
        with pytest.raises(InvalidCursorError):
            await queries.list_tasks(TaskFilter(), PageRequest(cursor=cursor))
