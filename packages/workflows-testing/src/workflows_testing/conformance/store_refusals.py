"""Rules of the store: a refused transition leaves nothing behind, of any kind."""

from __future__ import annotations

from collections.abc import AsyncIterator

from workflows_core.domain.state import InstanceState
from workflows_core.ports.queries import PageRequest, TaskFilter, WorkflowQueries
from workflows_core.ports.store import Conflict, DuplicateKey, Held, LeaseLost, StartKey, WorkflowStore
from workflows_testing.builders import Run, a_mixed_graph, an_instance
from workflows_testing.conformance.contract import MovableClock, StoreContract, commit, load, refused, seconds, start

__all__ = ["RefusalRules"]

ORDERS = {"orders": ["one", "two"]}


async def refusals(store: WorkflowStore) -> AsyncIterator[tuple[Run, InstanceState | None]]:
    """Instances of which a transition was refused that writes every kind of thing, each with its state before."""
    conflicting = await start(store, an_instance(a_mixed_graph(), data=ORDERS))
    before = conflicting.state
    conflicting.touch()
    assert isinstance(await refused(store, conflicting.complete("prepare", changes={"late": True})), Conflict)
    yield conflicting, before
    fenced = await start(store, an_instance(a_mixed_graph(), data=ORDERS))
    before = fenced.state
    held = Held(fenced.number("prepare"), 99, "worker-1")
    assert isinstance(await refused(store, fenced.complete("prepare", changes={"late": True}, held=held)), LeaseLost)
    yield fenced, before
    key = StartKey("order-1", "digest-1")
    await commit(store, an_instance(a_mixed_graph(prepared=False), data=ORDERS).start(start_key=key))
    duplicate = an_instance(a_mixed_graph(prepared=False), data=ORDERS)
    assert isinstance(await refused(store, duplicate.start(start_key=key)), DuplicateKey)
    yield duplicate, None


class RefusalRules(StoreContract):
    """After a conflict, a lost lease and a used start key."""

    async def test_a_refused_transition_leaves_the_state(self, store: WorkflowStore) -> None:
        async for run, before in refusals(store):
            loaded = await store.load(run.id)
            assert (loaded.state if loaded is not None else None) == before

    async def test_a_refused_transition_leaves_the_data(self, store: WorkflowStore) -> None:
        async for run, before in refusals(store):
            loaded = await store.load(run.id)
            assert loaded is None or before is None or loaded.state.data == before.data

    async def test_a_refused_transition_records_no_executions(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        async for run, _ in refusals(store):
            assert list(await queries.list_executions(run.id)) == []

    async def test_a_refused_transition_records_no_events(self, store: WorkflowStore, queries: WorkflowQueries) -> None:
        async for run, before in refusals(store):
            revisions = {event.revision for event in await queries.list_events(run.id)}
            assert revisions == (set() if before is None else {before.revision})

    async def test_a_refused_transition_opens_no_tasks(self, store: WorkflowStore, queries: WorkflowQueries) -> None:
        async for run, _ in refusals(store):
            assert (await queries.list_tasks(TaskFilter(instance_id=run.id), PageRequest())).items == ()

    async def test_a_refused_transition_writes_no_work(self, store: WorkflowStore, queries: WorkflowQueries) -> None:
        async for run, before in refusals(store):
            steps = [record.item.step for record in await queries.list_work(run.id)]
            assert steps == ([] if before is None else ["prepare"])

    async def test_a_refused_transition_writes_no_items(self, store: WorkflowStore) -> None:
        async for run, _ in refusals(store):
            scopes = tuple(run.state.scopes)
            loaded = await store.load(run.id, scopes=scopes, all_items=True)
            assert loaded is None or loaded.state.scopes.keys() == {0}

    async def test_a_refused_transition_changes_no_task(self, store: WorkflowStore, queries: WorkflowQueries) -> None:
        run = await start(store, an_instance(a_mixed_graph(prepared=False), data=ORDERS))
        task_id = run.task("review")
        run.touch()
        await refused(store, run.complete_task("review", {"approved": True}))
        task = await queries.get_task(task_id)
        assert task is not None
        assert (task.status, task.completed_by) == ("pending", None)

    async def test_a_refused_transition_removes_no_work(self, store: WorkflowStore, queries: WorkflowQueries) -> None:
        run = await start(store, an_instance(a_mixed_graph(prepared=False), data=ORDERS))
        before = await queries.list_work(run.id)
        run.touch()
        await refused(store, run.complete("bill"))
        assert list(await queries.list_work(run.id)) == list(before)

    async def test_a_refused_transition_drops_no_items(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_mixed_graph(prepared=False), data=ORDERS))
        before = (await load(store, run, all_items=True)).state
        run.touch()
        await refused(store, run.cancel())
        assert (await load(store, run, all_items=True)).state == before

    async def test_a_refused_start_does_not_use_up_its_key(self, store: WorkflowStore) -> None:
        taken, free = await start(store, an_instance()), an_instance()
        again = an_instance(id=taken.id)
        key = StartKey("order-1", "digest-1")
        assert isinstance(await refused(store, again.start(start_key=key)), Conflict)
        await commit(store, free.start(start_key=key))

    async def test_a_refused_transition_takes_no_work(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        run = await start(store, an_instance())
        number = run.number("first")
        await refused(store, run.complete("first", held=Held(number, 99, "worker-1"), take="second"))
        clock.advance(seconds(1))
        (record,) = await queries.list_work(run.id)
        assert (record.item.step, record.worker) == ("first", None)

    async def test_a_transition_that_would_end_the_instance_does_not_when_refused(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await start(store, an_instance())
        run.touch()
        await refused(store, run.cancel())
        record = await queries.get_instance(run.id)
        assert record is not None
        assert (record.status, record.completed_at) == ("running", None)
