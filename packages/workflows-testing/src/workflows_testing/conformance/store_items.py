"""Rules of the store: the scopes of ``ForEach`` items, read only when asked for."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from workflows_core.domain.commands import GatherItems
from workflows_core.domain.state import InstanceState, Scope
from workflows_core.ports.store import WorkflowStore
from workflows_testing.builders import (
    Run,
    a_for_each_graph,
    a_nested_for_each_graph,
    a_nested_group_graph,
    an_instance,
    with_transition,
)
from workflows_testing.conformance.contract import StoreContract, claim, commit, load, start

__all__ = ["ItemRules"]

FOUR = {"orders": ["one", "two", "three", "four"]}
TABLE = {"orders": [["a", "b"], ["c", "d"]]}


async def refresh(store: WorkflowStore, run: Run) -> None:
    """Go on with what the store has, all items included."""
    run.state = (await load(store, run, all_items=True)).state


def items_of(state: InstanceState) -> dict[int, int]:
    """Scope id by index of the item."""
    return {scope.index: scope.id for scope in state.scopes.values() if scope.index >= 0}


def data_of(scopes: Mapping[int, Scope], scope: int) -> dict[str, bytes]:
    """The own data of a scope that must have been read."""
    data = scopes[scope].data
    assert data is not None, f"the data of scope {scope} were not read"
    return data


class ItemRules(StoreContract):
    """Item scopes: where they are read, how they change, and their end."""

    async def test_an_instance_is_read_without_its_items(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_for_each_graph(), data=FOUR))
        assert (await load(store, run)).state.scopes == {0: run.state.scopes[0]}

    async def test_all_active_items_are_read_when_asked_for(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_for_each_graph(grouped=True), data=FOUR))
        assert (await load(store, run, all_items=True)).state == run.state

    async def test_an_instance_without_items_is_read_with_all_of_them(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance())
        assert (await load(store, run, all_items=True)).state == run.state

    async def test_an_item_is_read_when_its_scope_is_needed(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_for_each_graph(), data=FOUR))
        item = items_of(run.state)[1]
        loaded = await load(store, run, scopes=(item,))
        assert loaded.state.scopes == {0: run.state.scopes[0], item: run.state.scopes[item]}

    async def test_several_items_are_read_when_their_scopes_are_needed(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_for_each_graph(concurrency=3), data=FOUR))
        wanted = [items_of(run.state)[index] for index in (0, 2)]
        assert (await load(store, run, scopes=wanted)).state.scopes.keys() == {0, *wanted}

    async def test_the_scope_of_a_group_inside_an_item_brings_the_item_with_it(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_for_each_graph(grouped=True), data=FOUR))
        group = run.state.scopes[run.item("pack").scope]
        loaded = await load(store, run, scopes=(group.id,))
        assert loaded.state.scopes == {key: run.state.scopes[key] for key in (0, group.parent, group.id)}

    async def test_an_item_inside_an_item_brings_the_outer_one_with_it(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_nested_for_each_graph(), data=TABLE))
        await refresh(store, run)
        inner = run.item("ship").scope
        outer = run.state.scopes[inner].parent
        loaded = await load(store, run, scopes=(inner,))
        assert loaded.state.scopes == {key: run.state.scopes[key] for key in (0, outer, inner)}

    async def test_the_scope_of_the_instance_needs_no_items(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_for_each_graph(), data=FOUR))
        assert (await load(store, run, scopes=(0,))).state.scopes.keys() == {0}

    async def test_a_claim_brings_the_scopes_around_its_own(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_for_each_graph(grouped=True), data=FOUR))
        for claimed in await claim(store):
            group = run.state.scopes[claimed.item.scope]
            wanted = {key: run.state.scopes[key] for key in (0, group.parent, group.id)}
            assert claimed.state.scopes == wanted

    async def test_items_that_wait_their_turn_keep_their_data(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_for_each_graph(concurrency=1), data=FOUR))
        await commit(store, run.complete("ship"))
        following = items_of((await load(store, run, all_items=True)).state)
        assert list(following) == [1]
        (claimed,) = await claim(store)
        assert claimed.state.view(following[1])["order"] == b'"two"'

    async def test_items_that_wait_their_turn_are_not_active(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_for_each_graph(concurrency=2), data=FOUR))
        assert items_of((await load(store, run, all_items=True)).state).keys() == {0, 1}

    async def test_items_that_have_finished_are_not_active(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_for_each_graph(concurrency=2), data=FOUR))
        await commit(store, run.complete("ship", scope=items_of(run.state)[0]))
        assert items_of((await load(store, run, all_items=True)).state).keys() == {1, 2}

    async def test_a_transition_writes_the_items_that_it_names(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_for_each_graph(grouped=True), data=FOUR))
        item = items_of(run.state)[0]
        group = run.item("pack").scope
        await commit(store, run.complete("pack", scope=group, changes={"weight": 5}, result="packed"))
        loaded = await load(store, run, scopes=(group,))
        assert loaded.state.scopes == {key: run.state.scopes[key] for key in (0, item, group)}
        assert data_of(loaded.state.scopes, group) == {"weight": b"5"}

    async def test_items_without_data_in_a_transition_keep_their_stored_data(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_for_each_graph(), data=FOUR))
        item = run.state.scopes[items_of(run.state)[0]]
        unread = msgspec.structs.replace(item, data=None, visits={"ship": 9})
        write = run.touch(scopes={**run.state.scopes, item.id: unread})
        await commit(store, with_transition(write, items=(unread,)))
        loaded = await load(store, run, scopes=(item.id,))
        assert loaded.state.scopes[item.id] == msgspec.structs.replace(item, visits={"ship": 9})

    async def test_items_with_data_in_a_transition_replace_their_stored_data(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_for_each_graph(), data=FOUR))
        item = run.state.scopes[items_of(run.state)[0]]
        changed = msgspec.structs.replace(item, data={"order": b'"changed"'})
        write = run.touch(scopes={**run.state.scopes, item.id: changed})
        await commit(store, with_transition(write, items=(changed,)))
        assert data_of((await load(store, run, scopes=(item.id,))).state.scopes, item.id) == {"order": b'"changed"'}

    async def test_items_that_a_transition_does_not_have_stay_as_they_are(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_for_each_graph(concurrency=4), data=FOUR))
        before, items = run.state, items_of(run.state)
        run.state = (await load(store, run, scopes=(items[0],))).state
        await commit(store, run.complete("ship", scope=items[0]))
        after = (await load(store, run, all_items=True)).state
        assert {key: after.scopes.get(key) for key in (items[1], items[2], items[3])} == {
            key: before.scopes[key] for key in (items[1], items[2], items[3])
        }

    async def test_a_group_inside_an_item_that_has_ended_is_gone(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_nested_group_graph(), data=FOUR))
        packing = run.state.scopes[run.item("pack").scope]
        parcel = run.state.scopes[packing.parent]
        await commit(store, run.complete("pack", scope=packing.id))
        loaded = await load(store, run, scopes=(parcel.id,))
        assert loaded.state.scopes.keys() == {0, parcel.parent, parcel.id}
        assert [token.node for token in loaded.state.scopes[parcel.id].tokens.values()] == ["ship"]

    async def test_results_of_items_come_in_the_order_of_the_items(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_for_each_graph(concurrency=4), data=FOUR))
        items = items_of(run.state)
        for index in (2, 0, 3, 1):
            await commit(store, run.complete("ship", scope=items[index], result=f"shipped {index}"))
            await refresh(store, run)
        results = await store.item_results(run.id, items[0], 4)
        assert results == [b'"shipped 0"', b'"shipped 1"', b'"shipped 2"', b'"shipped 3"']

    async def test_results_are_those_of_the_items_asked_for(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_for_each_graph(concurrency=4), data=FOUR))
        items = items_of(run.state)
        for index in range(4):
            await commit(store, run.complete("ship", scope=items[index], result=index))
            await refresh(store, run)
        assert await store.item_results(run.id, items[1], 2) == [b"1", b"2"]

    async def test_items_that_have_not_finished_have_no_results(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_for_each_graph(concurrency=4), data=FOUR))
        items = items_of(run.state)
        await commit(store, run.complete("ship", scope=items[2], result="shipped"))
        assert await store.item_results(run.id, items[0], 4) == [b'"shipped"']

    async def test_an_unknown_instance_has_no_results(self, store: WorkflowStore) -> None:
        assert await store.item_results(an_instance().id, 1, 4) == []

    async def test_dropped_items_are_gone_with_their_results(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_for_each_graph(concurrency=4), data=FOUR))
        items = items_of(run.state)
        for index in range(4):
            await commit(store, run.complete("ship", scope=items[index], result=index))
            await refresh(store, run)
        results = tuple(await store.item_results(run.id, items[0], 4))
        await commit(store, run.decide(GatherItems(place=run.place("each"), now=run.now, results=results)))
        assert await store.item_results(run.id, items[0], 4) == []
        assert (await load(store, run, scopes=tuple(items.values()))).state.scopes.keys() == {0}

    async def test_items_that_are_cancelled_are_gone(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_for_each_graph(concurrency=2), data=FOUR))
        items = items_of(run.state)
        await commit(store, run.cancel())
        assert (await load(store, run, scopes=tuple(items.values()), all_items=True)).state.scopes.keys() == {0}

    async def test_instances_do_not_share_their_items(self, store: WorkflowStore) -> None:
        one = await start(store, an_instance(a_for_each_graph(), data=FOUR))
        other = await start(store, an_instance(a_for_each_graph(), data={"orders": ["five", "six"]}))
        assert items_of(one.state) == items_of(other.state), "the kernel numbers both alike"
        await commit(store, one.complete("ship", scope=items_of(one.state)[0], result="shipped"))
        assert (await load(store, other, all_items=True)).state == other.state
        assert await store.item_results(other.id, items_of(other.state)[0], 2) == []

    async def test_many_items_are_kept(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_for_each_graph(concurrency=2), data={"orders": list(range(500))}))
        token = run.find("each")[1]
        assert token.items is not None
        last = token.items.first + 499
        parked = msgspec.structs.replace(run.state.scopes[token.items.first], id=last, home=last, index=499, data=None)
        write = run.touch(scopes={**run.state.scopes, last: parked})
        await commit(store, with_transition(write, items=(parked,)))
        assert data_of((await load(store, run, scopes=(last,))).state.scopes, last)["order"] == b"499"
