"""Rules of the store: executions that are opened again, and instances that go on after their end."""

from __future__ import annotations

from msgspec.structs import replace

from workflows_core.domain.transition import StepExecution
from workflows_core.domain.types import WorkflowStatus
from workflows_core.ports.executor import WorkRef
from workflows_core.ports.leases import Lease
from workflows_core.ports.queries import WorkflowQueries
from workflows_core.ports.store import Conflict, WorkflowStore
from workflows_testing.builders import Run, a_graph, a_parallel_graph, an_instance, with_transition
from workflows_testing.conformance.contract import (
    MovableClock,
    StoreContract,
    claim,
    claim_one,
    commit,
    load,
    refused,
    seconds,
    start,
)

__all__ = ["ReopeningRules"]


async def recorded(queries: WorkflowQueries, run: Run) -> list[StepExecution]:
    """The finished executions of an instance."""
    return [record.execution for record in await queries.list_executions(run.id)]


async def start_and_fail(store: WorkflowStore, step: str = "first") -> Run:
    """An instance that failed at a step."""
    run = await start(store, an_instance())
    for name in ("first", "second", "third"):
        if name == step:
            await commit(store, run.fail(name))
            return run
        await commit(store, run.complete(name))
    return run


class ReopeningRules(StoreContract):
    """`Transition.reopened`, and instances that were over and are no more."""

    async def test_an_execution_that_is_open_again_is_not_recorded(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await start_and_fail(store, "second")
        assert [(run.step_name, run.status) for run in await recorded(queries, run)] == [
            ("first", "succeeded"),
            ("second", "failed"),
        ]
        await commit(store, run.retry())
        assert [run.step_name for run in await recorded(queries, run)] == ["first"]

    async def test_every_execution_that_is_open_again_is_not_recorded(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await start(store, an_instance(a_parallel_graph("one", "two", "three")))
        await commit(store, run.complete("two"))
        await commit(store, run.fail("one"))
        assert len(await recorded(queries, run)) == 4
        await commit(store, run.retry())
        assert [run.step_name for run in await recorded(queries, run)] == ["split", "two"]

    async def test_an_execution_that_was_open_again_is_recorded_when_it_has_finished(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        run = await start_and_fail(store)
        await commit(store, run.retry())
        over = clock.advance(seconds(10))
        write = run.complete("first", result="at last")
        await commit(store, write)
        (record,) = await queries.list_executions(run.id)
        assert (record.execution, record.completed_at) == (write.transition.executions[0], over)

    async def test_an_execution_may_be_opened_again_and_again(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await start_and_fail(store)
        for message in ("once", "twice"):
            await commit(store, run.retry())
            write = run.fail("first", message)
            await commit(store, write)
            assert await recorded(queries, run) == list(write.transition.executions)

    async def test_an_execution_that_is_opened_again_and_finishes_in_one_transition_is_recorded_once(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        run = await start_and_fail(store)
        reopened = run.retry().transition
        over = clock.advance(seconds(10))
        finished = run.complete("first", result="at last")
        run.state = replace(run.state, revision=reopened.state.revision)
        both = with_transition(finished, state=run.state, reopened=reopened.reopened)
        await commit(store, both)
        (record,) = await queries.list_executions(run.id)
        assert (record.execution, record.completed_at) == (finished.transition.executions[0], over)

    async def test_executions_are_listed_by_number_when_one_was_open_again(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await start(store, an_instance(a_parallel_graph("one", "two")))
        await commit(store, run.fail("one"))
        await commit(store, run.retry())
        await commit(store, run.complete("two"))
        await commit(store, run.complete("one"))
        assert [run.step_name for run in await recorded(queries, run)] == ["split", "one", "two"]

    async def test_executions_of_other_instances_stay_recorded(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run, other = [await start_and_fail(store) for _ in range(2)]
        assert run.state.counter == other.state.counter, "the kernel numbers both alike"
        await commit(store, run.retry())
        assert len(await recorded(queries, other)) == 1

    async def test_executions_are_opened_again_in_a_batch(self, store: WorkflowStore, queries: WorkflowQueries) -> None:
        opened, kept = [await start_and_fail(store) for _ in range(3)], await start_and_fail(store)
        await store.commit([*(run.retry() for run in opened), kept.touch()])
        assert [len(await recorded(queries, run)) for run in (*opened, kept)] == [0, 0, 0, 1]

    async def test_opening_again_what_was_never_recorded_does_nothing(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await start_and_fail(store)
        await commit(store, with_transition(run.touch(), reopened=(77,)))
        assert len(await recorded(queries, run)) == 1

    async def test_a_refused_transition_opens_nothing_again(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await start_and_fail(store)
        before = run.state
        await commit(store, run.touch())
        run.state = before
        assert isinstance(await refused(store, run.retry()), Conflict)
        assert len(await recorded(queries, run)) == 1

    async def test_an_instance_that_was_over_goes_on_where_it_failed(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start_and_fail(store)
        assert run.state.status is WorkflowStatus.FAILED
        assert await claim(store) == []
        clock.advance(seconds(3600))
        await commit(store, run.retry())
        claimed = await claim_one(store)
        assert (claimed.ref, claimed.state) == (WorkRef(run.id, run.number("first")), run.state)
        assert (await load(store, run)).state == run.state

    async def test_a_worker_may_go_on_at_once_with_an_instance_that_was_over(self, store: WorkflowStore) -> None:
        run = await start_and_fail(store)
        result = await commit(store, run.retry(take="first", worker="worker-1"))
        assert result.fences.keys() == {run.number("first")}
        assert await claim(store, "worker-2") == []
        assert await store.renew("worker-1", 30) == {Lease(run.id, *taken) for taken in result.fences.items()}

    async def test_work_that_is_left_when_an_instance_is_over_is_given_if_it_goes_on(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        free, held = await start(store, an_instance()), await start(store, an_instance(a_graph("only")))
        (kept,) = await claim(store, items=(WorkRef(held.id, held.number("only")),), lease_s=60)
        for run in (free, held):
            await commit(store, run.touch(status=WorkflowStatus.FAILED))
        assert await claim(store, "worker-2") == []
        for run in (free, held):
            await commit(store, run.touch(status=WorkflowStatus.RUNNING))
        assert [claimed.ref.instance_id for claimed in await claim(store, "worker-2", lease_s=3600)] == [free.id]
        clock.advance(seconds(61))
        taken = await claim_one(store, "worker-2")
        assert (taken.ref, taken.fence) == (kept.ref, kept.fence + 1)
