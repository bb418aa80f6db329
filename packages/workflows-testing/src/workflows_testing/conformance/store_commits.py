"""Rules of the store: which transitions are committed, and what is written with them."""

from __future__ import annotations

import asyncio
import contextlib

import msgspec

from workflows_core.adapters.uuid7 import Uuid7Generator
from workflows_core.ports.queries import WorkflowQueries
from workflows_core.ports.store import Committed, Conflict, WorkflowStore
from workflows_testing.builders import a_graph, a_parallel_graph, an_instance, with_transition
from workflows_testing.conformance.contract import (
    MovableClock,
    StoreContract,
    claim_one,
    commit,
    load,
    refused,
    seconds,
    start,
)

__all__ = ["CommitRules"]


class CommitRules(StoreContract):
    """The order of transitions, batches, data, and the question whether a transition was committed."""

    async def test_a_transition_gives_the_instance_its_next_state(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(data={"amount": 7}))
        await commit(store, run.complete("first", result="picked", changes={"weight": 3}))
        assert (await load(store, run)).state == run.state

    async def test_a_transition_from_an_old_revision_is_a_conflict(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance())
        before = run.state
        await commit(store, run.complete("first"))
        run.state = before
        assert isinstance(await refused(store, run.complete("first")), Conflict)

    async def test_a_transition_from_a_revision_to_come_is_a_conflict(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance())
        run.complete("first")
        assert isinstance(await refused(store, run.complete("second")), Conflict)

    async def test_a_transition_of_an_instance_that_does_not_exist_is_a_conflict(self, store: WorkflowStore) -> None:
        run = an_instance()
        run.start()
        assert isinstance(await refused(store, run.complete("first")), Conflict)

    async def test_a_conflict_leaves_the_instance_as_it_is(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance())
        before = run.state
        await commit(store, run.complete("first", changes={"winner": "ann"}))
        after, run.state = run.state, before
        await refused(store, run.complete("first", changes={"winner": "bob"}))
        assert (await load(store, run)).state == after

    async def test_of_several_transitions_at_once_from_one_revision_one_is_committed(
        self, store: WorkflowStore, peer: WorkflowStore
    ) -> None:
        run = await start(store, an_instance())
        before = run.state
        writes = []
        for number in range(8):
            run.state = before
            writes.append(run.complete("first", changes={"winner": number}))
        stores = [store, peer] * 4
        results = await asyncio.gather(*(one.commit([write]) for one, write in zip(stores, writes, strict=True)))
        won = [write for write, (result,) in zip(writes, results, strict=True) if isinstance(result, Committed)]
        assert len(won) == 1
        assert (await load(store, run)).state == won[0].transition.state

    async def test_results_come_in_the_order_of_the_writes(self, store: WorkflowStore) -> None:
        good, late = an_instance(), await start(store, an_instance())
        before = late.state
        await commit(store, late.complete("first"))
        late.state = before
        other = an_instance()
        results = await store.commit([good.start(), late.complete("first"), other.start()])
        assert [type(result) for result in results] == [Committed, Conflict, Committed]

    async def test_a_refused_transition_harms_no_other_of_its_batch(self, store: WorkflowStore) -> None:
        first, missing, last = an_instance(), an_instance(), an_instance()
        missing.start()
        await store.commit([first.start(), missing.complete("first"), last.start()])
        assert (await load(store, first)).state == first.state
        assert (await load(store, last)).state == last.state
        assert await store.load(missing.id) is None

    async def test_nothing_to_commit_gives_no_results(self, store: WorkflowStore) -> None:
        assert list(await store.commit([])) == []

    async def test_a_large_batch_is_committed_like_a_small_one(self, store: WorkflowStore) -> None:
        runs = [an_instance(a_parallel_graph(), data={"place": place}) for place in range(150)]
        assert {type(result) for result in await store.commit([run.start() for run in runs])} == {Committed}
        results = await store.commit([run.complete("left", changes={"done": True}) for run in runs])
        assert {type(result) for result in results} == {Committed}
        for run in (runs[0], runs[75], runs[149]):
            assert (await load(store, run)).state == run.state

    async def test_the_commit_tells_its_time_by_the_clock_of_the_store(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = an_instance()
        moment = clock.advance(seconds(3.000001))
        assert (await commit(store, run.start())).at == moment

    async def test_a_read_tells_its_time_by_the_clock_of_the_store(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start(store, an_instance())
        moment = clock.advance(seconds(7.000001))
        assert (await load(store, run)).at == moment

    async def test_what_was_loaded_does_not_change_with_the_instance(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(data={"amount": 7}))
        before = await load(store, run)
        copy = msgspec.msgpack.encode(before.state)
        await commit(store, run.complete("first", changes={"amount": 8}))
        assert msgspec.msgpack.encode(before.state) == copy

    async def test_data_are_written_when_they_changed(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(data={"amount": 7, "note": "fragile"}))
        await commit(store, run.complete("first", changes={"amount": 8}))
        assert (await load(store, run)).state.data == {"amount": b"8", "note": b'"fragile"'}

    async def test_data_stay_as_they_are_when_the_transition_says_that_they_did_not_change(
        self, store: WorkflowStore
    ) -> None:
        run = await start(store, an_instance(data={"amount": 7}))
        write = run.complete("first", changes={"amount": 8})
        await commit(store, with_transition(write, data_changed=False))
        assert (await load(store, run)).state.data == {"amount": b"7"}

    async def test_a_key_that_was_removed_is_gone(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(data={"amount": 7, "note": "fragile"}))
        root = msgspec.structs.replace(run.state.scopes[0], data={"amount": b"7"})
        await commit(store, with_transition(run.touch(scopes={0: root}), data_changed=True))
        assert (await load(store, run)).state.data == {"amount": b"7"}

    async def test_the_first_transition_writes_the_data_also_when_there_are_none(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance())
        assert (await load(store, run)).state.scopes[0].data == {}

    async def test_maps_keep_their_order(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_parallel_graph("zulu", "mike", "alpha"), data={"z": 1, "m": 2, "a": 3}))
        root = (await load(store, run)).state.scopes[0]
        assert list(root.data or {}) == ["z", "m", "a"]
        assert list(root.tokens) == list(run.state.scopes[0].tokens)
        assert list(root.visits) == ["split", "zulu", "mike", "alpha"]

    async def test_a_transition_is_known_by_its_id(self, store: WorkflowStore) -> None:
        run = an_instance(a_graph("first", "second"))
        for write in (
            run.start(take="first", worker="worker-1"),
            run.complete("first", take="second", worker="worker-1"),
        ):
            result = await commit(store, write)
            assert await store.committed(write) == result, "with the moment and the fences that were told"

    async def test_a_transition_stays_known_when_others_have_followed(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = an_instance(a_graph("first", "second"))
        first = run.start(take="first", worker="worker-1")
        started = await commit(store, first)
        clock.advance(seconds(1))
        quiet = run.touch()
        touched = await commit(store, quiet)
        assert await store.committed(first) == started, "its work is still held"
        clock.advance(seconds(1))
        await commit(store, run.complete("first"))
        assert await store.committed(first) == Committed(started.at), "its work is over"
        assert await store.committed(quiet) == touched, "although it has no events"

    async def test_a_transition_whose_work_was_taken_away_is_known_without_it(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        first = an_instance().start(take="first", worker="worker-1")
        started = await commit(store, first)
        clock.advance(seconds(3600))
        await claim_one(store, "worker-1")
        assert await store.committed(first) == Committed(started.at), (
            "the same worker has claimed it anew, with a fence of its own"
        )

    async def test_a_refused_transition_was_not_committed(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance())
        before = run.state
        await commit(store, run.complete("first"))
        run.state = before
        late = run.complete("first")
        await refused(store, late)
        assert await store.committed(late) is None

    async def test_no_transition_of_an_unknown_instance_was_committed(self, store: WorkflowStore) -> None:
        assert await store.committed(an_instance().start()) is None

    async def test_a_transition_that_is_committed_again_is_refused(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = an_instance(a_graph("first", "second"))
        start_write = run.start()
        await commit(store, start_write)
        write = run.complete("first")
        await commit(store, write)
        await refused(store, write)
        await refused(store, start_write)
        assert await store.committed(write) is not None
        assert len(await queries.list_executions(run.id)) == 1

    async def test_a_commit_whose_caller_is_cancelled_is_done_wholly_or_not_at_all(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await start(store, an_instance(a_graph("first", "second")))
        write = run.complete("first", changes={"done": True})
        under_way = asyncio.ensure_future(store.commit([write]))
        await asyncio.sleep(0)
        under_way.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await under_way
        again = msgspec.structs.replace(write, id=Uuid7Generator().new())
        (result,) = await store.commit([again])
        assert isinstance(result, Committed | Conflict)
        assert (await load(store, run)).state == run.state
        assert len(await queries.list_executions(run.id)) == 1
