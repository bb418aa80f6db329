"""Rules of the queries: instances that failed, are being undone, wait for an operator, or go on; and the limits of work."""

from __future__ import annotations

import math
from uuid import UUID

from msgspec.structs import replace

from workflows_core.domain.state import ROOT, Failing, InstanceState, Token
from workflows_core.domain.transition import WorkItem, WorkKind
from workflows_core.domain.types import Parking, Phase, StepStatus, WorkflowStatus
from workflows_core.ports.queries import InstanceFilter, InstanceRecord, PageRequest, WorkflowQueries, WorkRecord
from workflows_core.ports.store import WorkflowStore
from workflows_testing.builders import Run, a_graph, an_instance, with_transition
from workflows_testing.conformance.contract import (
    MovableClock,
    StoreContract,
    claim_one,
    commit,
    seconds,
    start,
    start_limited,
)

__all__ = ["FailureRules"]

DEADLINE = WorkItem(0, WorkKind.DEADLINE, "", delay_s=3600.0)


async def record_of(queries: WorkflowQueries, run: Run) -> InstanceRecord:
    """The record of an instance that must be there; a list must show the same."""
    record = await queries.get_instance(run.id)
    assert record is not None, "an instance that was committed is not found"
    listed = await queries.list_instances(InstanceFilter(), PageRequest())
    assert record in listed.items, "a list shows another record"
    return record


async def work_of(queries: WorkflowQueries, run: Run) -> WorkRecord:
    """The only work item of an instance."""
    (record,) = await queries.list_work(run.id)
    return record


async def start_parked(store: WorkflowStore) -> Run:
    """An instance that failed and can be retried."""
    run = await start(store, an_instance(a_graph("only")))
    await commit(store, run.fail("only", "out of stock"))
    return run


def ending(state: InstanceState, *tokens: Token) -> InstanceState:
    """The state of an instance that is being ended, with these tokens."""
    failing = Failing(None, WorkflowStatus.CANCELED)
    root = replace(state.scopes[ROOT], failing=failing, tokens={token.id: token for token in tokens})
    return replace(state, scopes={ROOT: root})


class FailureRules(StoreContract):
    """What an operator sees of a failure, in `WorkflowQueries`."""

    async def test_an_instance_in_good_order_is_in_its_normal_phase_and_not_parked(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        record = await record_of(queries, await start(store, an_instance()))
        assert (record.phase, record.parked) == (Phase.NORMAL, None)

    async def test_the_record_of_a_failed_instance_says_that_it_is_parked(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        record = await record_of(queries, await start_parked(store))
        assert (record.status, record.phase, record.parked) == ("failed", Phase.NORMAL, Parking.DEAD_LETTER)

    async def test_the_record_of_an_instance_that_is_being_ended_tells_its_phase(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await start(store, an_instance())
        runs = Token(1, "first", StepStatus.SCHEDULED, 2)
        undoes = replace(runs, compensates=7)
        for tokens, phase in (((runs, replace(undoes, id=3)), Phase.CANCELING), ((undoes,), Phase.COMPENSATING)):
            await commit(store, run.touch(scopes=ending(run.state, *tokens).scopes))
            assert (await record_of(queries, run)).phase is phase

    async def test_an_instance_may_be_parked_before_it_is_over(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await start(store, an_instance())
        undoes = Token(1, "first", StepStatus.FAILED, 2, compensates=7)
        scopes = ending(run.state, undoes).scopes
        await commit(store, run.touch(scopes=scopes, parked=Parking.COMPENSATION, status=WorkflowStatus.WAITING))
        record = await record_of(queries, run)
        assert (record.status, record.phase, record.parked) == ("waiting", Phase.COMPENSATING, Parking.COMPENSATION)
        assert record.completed_at is None

    async def test_instances_that_are_parked_at_once_are_recorded_so(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = an_instance()
        await commit(store, run.touch(parked=Parking.DEAD_LETTER, status=WorkflowStatus.FAILED))
        assert (await record_of(queries, run)).parked is Parking.DEAD_LETTER

    async def test_instances_are_found_by_whether_they_are_parked(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        parked, running = await start_parked(store), await start(store, an_instance())
        over = await start(store, an_instance())
        await commit(store, over.touch(status=WorkflowStatus.FAILED))

        async def found(*, is_parked: bool | None) -> set[UUID]:
            where = InstanceFilter(is_parked=is_parked)
            page = await queries.list_instances(where, PageRequest(with_total=True))
            assert page.total == len(page.items) == sum((await queries.count_instances(where)).values())
            return {record.id for record in page.items}

        assert await found(is_parked=True) == {parked.id}
        assert await found(is_parked=False) == {running.id, over.id}
        assert await found(is_parked=None) == {parked.id, running.id, over.id}

    async def test_an_instance_that_goes_on_is_neither_parked_nor_over(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        run = await start_parked(store)
        moment = clock.advance(seconds(30))
        await commit(store, run.retry())
        record = await record_of(queries, run)
        assert (record.status, record.parked, record.error) == ("running", None, None)
        assert (record.completed_at, record.updated_at) == (None, moment)

    async def test_the_end_of_an_instance_that_went_on_is_its_last(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        run = await start_parked(store)
        clock.advance(seconds(30))
        await commit(store, run.retry())
        moment = clock.advance(seconds(30))
        await commit(store, run.complete("only"))
        record = await record_of(queries, run)
        assert (record.status, record.completed_at) == ("completed", moment)

    async def test_an_instance_that_is_given_up_was_over_when_it_failed(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        failed = clock.now()
        run = await start_parked(store)
        moment = clock.advance(seconds(30))
        await commit(store, run.discard())
        record = await record_of(queries, run)
        assert (record.status, record.parked) == ("failed", None)
        assert (record.completed_at, record.updated_at) == (failed, moment)

    async def test_an_instance_that_is_parked_is_not_stalled(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await start(store, an_instance())
        number = run.number("first")
        parked = run.touch(parked=Parking.COMPENSATION, status=WorkflowStatus.WAITING)
        await commit(store, with_transition(parked, work={number: None}))
        assert list(await queries.find_stalled()) == []
        await commit(store, run.touch(parked=None))
        assert list(await queries.find_stalled()) == [run.id]

    async def test_a_deadline_alone_does_not_keep_an_instance_from_being_stalled(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await start(store, an_instance())
        number = run.number("first")
        await commit(store, with_transition(run.touch(), work={0: DEADLINE}))
        assert list(await queries.find_stalled()) == []
        await commit(store, with_transition(run.touch(), work={number: None}))
        assert list(await queries.find_stalled()) == [run.id]

    async def test_work_that_is_never_due_keeps_an_instance_from_being_stalled(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        await start_limited(store, delay_s=math.inf)
        assert list(await queries.find_stalled()) == []

    async def test_work_is_listed_with_its_limit(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        limited = await start_limited(store, timeout_s=60.000001)
        limit = clock.now() + seconds(60.000001)
        assert (await work_of(queries, limited)).timeout_at == limit
        clock.advance(seconds(10))
        await claim_one(store)
        assert (await work_of(queries, limited)).timeout_at == limit
        assert (await work_of(queries, await start(store, an_instance()))).timeout_at is None

    async def test_work_is_listed_as_it_was_written_until_somebody_is_told_that_its_time_is_over(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        run = await start_limited(store, delay_s=math.inf)
        limit = clock.advance(seconds(60))
        clock.advance(seconds(1))
        assert await store.next_due() is not None
        record = await work_of(queries, run)
        assert (record.item.kind, record.due_at, record.timeout_at) == (WorkKind.RUN, None, limit)

    async def test_work_is_listed_as_expired_when_somebody_was_told(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        run = await start_limited(store, delay_s=math.inf)
        limit = clock.advance(seconds(60))
        clock.advance(seconds(1))
        await claim_one(store, "worker-2", lease_s=10)
        for held in (True, False):
            record = await work_of(queries, run)
            assert (record.item.kind, record.due_at, record.timeout_at) == (WorkKind.EXPIRE, limit, None)
            assert record.worker == ("worker-2" if held else None)
            clock.advance(seconds(11))

    async def test_work_is_listed_with_its_crashes(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        run = await start(store, an_instance())
        for crashes in (0, 1, 2):
            await claim_one(store, lease_s=10)
            assert (await work_of(queries, run)).crashes == crashes
            clock.advance(seconds(11))
        assert (await work_of(queries, run)).crashes == 2
        await commit(store, run.complete("first"))
        assert (await work_of(queries, run)).crashes == 0
