"""Rules of the queries: human tasks, whose they are, and how they change."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from workflows_core.domain.graph import HumanNode
from workflows_core.domain.types import TaskStatus
from workflows_core.ports.queries import PageRequest, TaskFilter, TaskRecord, WorkflowQueries
from workflows_core.ports.store import WorkflowStore
from workflows_testing.builders import Run, a_parallel_graph, a_task_graph, an_instance, build_graph, with_transition
from workflows_testing.conformance.contract import MovableClock, StoreContract, commit, seconds, start

__all__ = ["TaskRules", "a_task"]


async def a_task(store: WorkflowStore, *, tenant: str = "", name: str = "approval", **kind: Any) -> Run:
    """Start an instance that waits at a human step ``review`` of this kind."""
    return await start(store, an_instance(a_task_graph(HumanNode(title="Review it", **kind), name=name), tenant=tenant))


async def task_of(queries: WorkflowQueries, task_id: UUID) -> TaskRecord:
    """A task that must be there."""
    task = await queries.get_task(task_id)
    assert task is not None, "a task that was opened is not found"
    return task


async def tasks(queries: WorkflowQueries, **where: Any) -> set[UUID]:
    """Instances of the tasks that match."""
    page = await queries.list_tasks(TaskFilter(**where), PageRequest())
    return {task.instance_id for task in page.items}


class TaskRules(StoreContract):
    """`WorkflowQueries.get_task`, and who finds which tasks with `list_tasks`."""

    async def test_an_open_task_tells_what_was_asked(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        clock.advance(seconds(9.000001))
        run = await a_task(
            store,
            tenant="acme",
            description="Look at it",
            form_schema={"type": "object", "required": ["approved"]},
            assignee="bob",
            candidate_users=("carl", "dora"),
            candidate_groups=("staff",),
            due_s=3600.000001,
            reminder_s=60.5,
            priority=70,
        )
        assert run.transition is not None
        assert await task_of(queries, run.task("review")) == TaskRecord(
            opening=run.transition.opened[0],
            instance_id=run.id,
            workflow_name="approval",
            workflow_version="1.0.0",
            tenant_id="acme",
            status=TaskStatus.PENDING,
            assignee_id="bob",
            created_at=clock.now(),
            due_at=clock.now() + seconds(3600.000001),
            reminder_at=clock.now() + seconds(60.5),
        )

    async def test_a_task_without_dates_has_none(self, store: WorkflowStore, queries: WorkflowQueries) -> None:
        run = await a_task(store)
        task = await task_of(queries, run.task("review"))
        assert (task.due_at, task.reminder_at, task.completed_at) == (None, None, None)

    async def test_the_moments_of_a_task_win_over_its_delays(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        run = an_instance(a_task_graph(HumanNode(due_s=60, reminder_s=30)))
        write = run.start()
        due, reminder = clock.now() + seconds(7.000001), clock.now() + seconds(5.000001)
        opening = msgspec.structs.replace(write.transition.opened[0], due_at=due, reminder_at=reminder)
        await commit(store, with_transition(write, opened=(opening,)))
        task = await task_of(queries, opening.id)
        assert (task.due_at, task.reminder_at) == (due, reminder)

    async def test_a_completed_task_tells_by_whom_when_and_why(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        run = await a_task(store, assignee="bob")
        task_id = run.task("review")
        moment = clock.advance(seconds(60.000001))
        await commit(store, run.complete_task("review", {"approved": True}, actor="bob", comment="well done"))
        task = await task_of(queries, task_id)
        assert (task.status, task.completed_by, task.completed_at, task.comment, task.assignee_id) == (
            "completed",
            "bob",
            moment,
            "well done",
            "bob",
        )

    async def test_a_withdrawn_task_tells_when(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        run = await a_task(store)
        task_id = run.task("review")
        moment = clock.advance(seconds(60))
        await commit(store, run.cancel())
        task = await task_of(queries, task_id)
        assert (task.status, task.completed_by, task.completed_at) == ("canceled", None, moment)

    async def test_a_reassigned_task_has_its_new_assignee_and_is_open(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await a_task(store, assignee="bob")
        before = await task_of(queries, run.task("review"))
        await commit(store, run.reassign("review", "carl"))
        task = await task_of(queries, run.task("review"))
        assert (task.assignee_id, task.status, task.completed_at) == ("carl", "pending", None)
        assert task.opening == before.opening

    async def test_a_change_of_a_task_keeps_what_it_does_not_name(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await a_task(store, assignee="bob")
        task_id = run.task("review")
        await commit(store, run.reassign("review", "carl"))
        await commit(store, run.complete_task("review", actor="carl"))
        task = await task_of(queries, task_id)
        assert (task.assignee_id, task.completed_by, task.comment) == ("carl", "carl", None)

    async def test_only_the_task_that_is_named_changes(self, store: WorkflowStore, queries: WorkflowQueries) -> None:
        run = await start(store, an_instance(a_parallel_graph(kind=HumanNode(title="Look"))))
        await commit(store, run.complete_task("left"))
        assert (await task_of(queries, run.task("right"))).status == "pending"

    async def test_an_unknown_task_is_not_found(self, queries: WorkflowQueries) -> None:
        assert await queries.get_task(UUID(int=7)) is None

    async def test_a_task_is_found_by_its_tenant_alone(self, store: WorkflowStore, queries: WorkflowQueries) -> None:
        task_id = (await a_task(store, tenant="acme")).task("review")
        assert await queries.get_task(task_id, tenant="umbrella") is None
        assert await queries.get_task(task_id, tenant="") is None
        assert await queries.get_task(task_id, tenant="acme") is not None

    async def test_a_list_of_tasks_shows_the_same_records_as_the_single_query(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await a_task(store, tenant="acme", assignee="bob", due_s=60, candidate_groups=("staff",))
        page = await queries.list_tasks(TaskFilter(), PageRequest())
        assert page.items == (await task_of(queries, run.task("review")),)

    async def test_tasks_are_found_by_tenant(self, store: WorkflowStore, queries: WorkflowQueries) -> None:
        acme, without = await a_task(store, tenant="acme"), await a_task(store)
        await a_task(store, tenant="umbrella")
        assert await tasks(queries, tenant="acme") == {acme.id}
        assert await tasks(queries, tenant="") == {without.id}
        assert len(await tasks(queries)) == 3

    async def test_tasks_are_found_by_any_of_several_statuses(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        pending, done, withdrawn = [await a_task(store) for _ in range(3)]
        await commit(store, done.complete_task("review"))
        await commit(store, withdrawn.cancel())
        assert await tasks(queries, statuses=(TaskStatus.PENDING,)) == {pending.id}
        assert await tasks(queries, statuses=(TaskStatus.COMPLETED, TaskStatus.CANCELED)) == {done.id, withdrawn.id}

    async def test_tasks_are_found_by_workflow_instance_and_step(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        one, other = await a_task(store, name="approval"), await a_task(store, name="appeal")
        both = await start(store, an_instance(a_parallel_graph("legal", "finance", kind=HumanNode(title="Look"))))
        assert await tasks(queries, workflow_name="appeal") == {other.id}
        assert await tasks(queries, instance_id=one.id) == {one.id}
        page = await queries.list_tasks(TaskFilter(step_name="legal"), PageRequest())
        assert [task.id for task in page.items] == [both.task("legal")]

    async def test_tasks_are_found_by_exactly_their_assignee(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        bob = await a_task(store, assignee="bob")
        await a_task(store, assignee="bobby")
        await a_task(store, candidate_users=("bob",))
        assert await tasks(queries, assignee_id="bob") == {bob.id}

    async def test_a_user_may_do_what_is_assigned_to_the_user(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        mine = await a_task(store, assignee="bob")
        await a_task(store, assignee="carl")
        assert await tasks(queries, user_id="bob") == {mine.id}

    async def test_a_user_may_do_what_names_the_user_as_a_candidate(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        mine = await a_task(store, candidate_users=("ann", "bob"))
        await a_task(store, candidate_users=("ann", "bobby", "b"))
        assert await tasks(queries, user_id="bob") == {mine.id}

    async def test_a_user_may_do_what_names_a_group_of_the_user_as_a_candidate(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        mine = await a_task(store, candidate_groups=("legal", "finance"))
        await a_task(store, candidate_groups=("sales",))
        assert await tasks(queries, user_id="bob", groups=frozenset({"staff", "finance"})) == {mine.id}

    async def test_a_user_without_groups_may_do_nothing_that_wants_a_group(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        await a_task(store, candidate_groups=("legal",))
        assert await tasks(queries, user_id="bob") == set()
        assert await tasks(queries, user_id="legal") == set()

    async def test_a_group_is_not_a_user(self, store: WorkflowStore, queries: WorkflowQueries) -> None:
        await a_task(store, candidate_users=("legal",))
        assert await tasks(queries, user_id="bob", groups=frozenset({"legal"})) == set()

    async def test_names_of_groups_are_compared_whole_and_exactly(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        names = ("a", "ab", "a_b", "a%", "A", "a,b", 'a"b', "a b", "[a]", "é", "e\u0301")
        runs = {name: await a_task(store, candidate_groups=(name,)) for name in names}
        for name in names:
            assert await tasks(queries, user_id="bob", groups=frozenset({name})) == {runs[name].id}, name

    async def test_anybody_may_do_what_has_neither_assignee_nor_candidates(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        free = await a_task(store)
        assert await tasks(queries, user_id="bob") == {free.id}

    async def test_a_candidate_may_not_do_what_is_assigned_to_somebody_else(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        await a_task(store, assignee="carl", candidate_users=("bob",), candidate_groups=("staff",))
        assert await tasks(queries, user_id="bob", groups=frozenset({"staff"})) == set()

    async def test_a_reassigned_task_is_that_of_its_new_assignee(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await a_task(store, assignee="bob")
        await commit(store, run.reassign("review", "carl"))
        assert await tasks(queries, user_id="bob") == set()
        assert await tasks(queries, user_id="carl") == {run.id}
        assert await tasks(queries, assignee_id="carl") == {run.id}

    async def test_what_a_user_may_do_is_bounded_by_the_tenant(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        mine = await a_task(store, tenant="acme", assignee="bob")
        await a_task(store, tenant="umbrella", assignee="bob")
        await a_task(store, tenant="umbrella")
        assert await tasks(queries, tenant="acme", user_id="bob") == {mine.id}

    async def test_tasks_are_found_before_a_due_date(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        sooner = await a_task(store, due_s=59.999999)
        await a_task(store, due_s=60)
        await a_task(store)
        assert await tasks(queries, due_before=clock.now() + seconds(60)) == {sooner.id}

    async def test_the_tasks_of_one_step_visited_twice_are_two(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        looping = build_graph({"review": HumanNode(title="Again")}, [("review", "review")], name="loop")
        run = await start(store, an_instance(looping))
        first = run.task("review")
        await commit(store, run.complete_task("review"))
        assert (await task_of(queries, first)).status == "completed"
        assert (await task_of(queries, run.task("review"))).status == "pending"
