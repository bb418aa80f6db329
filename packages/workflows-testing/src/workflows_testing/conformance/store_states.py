"""Rules of the store: every field of a state, of a work item and of a record comes out as it went in."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from workflows_core.domain.actor import Actor
from workflows_core.domain.state import ROOT, InstanceState, Scope
from workflows_core.ports.queries import WorkflowQueries
from workflows_core.ports.store import WorkflowStore
from workflows_testing.builders import Run, a_for_each_graph, an_instance, with_transition
from workflows_testing.conformance.contract import (
    MovableClock,
    StoreContract,
    claim,
    claim_one,
    commit,
    load,
    start,
)
from workflows_testing.conformance.full_values import EXECUTION, MOMENT, TOKEN, WORK, full_scope, full_state

__all__ = ["StateRules"]


async def start_full(store: WorkflowStore) -> Run:
    """An instance whose outermost scope, and a group in it, have something in every field."""
    run = await start(
        store,
        an_instance(data={"amount": 7}, metadata={"source": "web"}, actor=Actor("ann", tenant="acme"), now=MOMENT),
    )
    group = full_scope(Scope(923, "parcel", ROOT, TOKEN.id))
    scopes = {ROOT: full_scope(run.state.scopes[ROOT]), group.id: group}
    write = run.touch(scopes=scopes)
    run.state = full_state(run.state)
    await commit(store, with_transition(write, state=run.state, data_changed=True))
    return run


async def start_full_items(store: WorkflowStore) -> tuple[Run, dict[int, Scope]]:
    """An instance with two items, in each of which, and in the group inside it, there is something in every field."""
    run = await start(store, an_instance(a_for_each_graph(grouped=True), data={"orders": [1, 2]}))
    inner = {scope.id: full_scope(scope) for scope in run.state.scopes.values() if scope.home != ROOT}
    write = run.touch(scopes={**run.state.scopes, **inner})
    await commit(
        store, with_transition(write, items=tuple(scope for scope in inner.values() if scope.id == scope.home))
    )
    return run, inner


def inside(state: InstanceState) -> Mapping[int, Scope]:
    """The scopes that are stored with an item."""
    return {key: scope for key, scope in state.scopes.items() if scope.home != ROOT}


class StateRules(StoreContract):
    """What was decided is what is decided on next."""

    async def test_a_state_comes_back_with_all_that_it_says(self, store: WorkflowStore) -> None:
        run = await start_full(store)
        assert (await load(store, run)).state == run.state

    async def test_a_claim_brings_the_state_with_all_that_it_says(self, store: WorkflowStore) -> None:
        run = await start_full(store)
        assert (await claim_one(store)).state == run.state

    async def test_a_state_that_says_nothing_any_more_comes_back_so(self, store: WorkflowStore) -> None:
        run = await start_full(store)
        bare = InstanceState(
            run.id, "acme", "order", "1.0.0", run.graph.hash, created_by="ann", started_at=MOMENT,
            metadata=run.state.metadata, scopes={ROOT: Scope(ROOT)},
        )  # fmt: skip
        run.state = replace(bare, revision=run.state.revision)
        write = run.touch()
        await commit(store, with_transition(write, data_changed=True))
        assert (await load(store, run)).state == run.state

    async def test_the_scopes_of_items_come_back_with_all_that_they_say(self, store: WorkflowStore) -> None:
        run, inner = await start_full_items(store)
        assert inside((await load(store, run, all_items=True)).state) == inner
        for scope in inner.values():
            loaded = await load(store, run, scopes=(scope.id,))
            assert loaded.state.scopes[scope.id] == scope

    async def test_a_claim_brings_the_scopes_of_its_item_with_all_that_they_say(self, store: WorkflowStore) -> None:
        _, inner = await start_full_items(store)
        claims = await claim(store)
        assert len(claims) == 2
        for claimed in claims:
            group = inner[claimed.item.scope]
            assert inside(claimed.state) == {key: inner[key] for key in (group.parent, group.id)}

    async def test_work_is_given_with_all_that_was_written_of_it(
        self, store: WorkflowStore, clock: MovableClock
    ) -> None:
        run = await start(store, an_instance())
        await commit(store, with_transition(run.touch(), work={WORK.number: WORK}))
        clock.advance(MOMENT - clock.now())
        claimed = next(claimed for claimed in await claim(store) if claimed.item.number == WORK.number)
        spent = {"delay_s": 0.0, "due_at": None, "timeout_s": None, "keeps_timeout": False}
        assert replace(claimed.item, **spent) == replace(WORK, **spent)

    async def test_an_execution_comes_back_with_all_that_it_says(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await start(store, an_instance())
        await commit(store, with_transition(run.touch(), executions=(EXECUTION,)))
        assert [record.execution for record in await queries.list_executions(run.id)] == [EXECUTION]
