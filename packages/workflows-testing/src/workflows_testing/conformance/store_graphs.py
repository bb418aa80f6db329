"""Rules of the store: graphs, tenants, and the store itself."""

from __future__ import annotations

import asyncio

from workflows_core.ports.queries import WorkflowQueries
from workflows_core.ports.store import WorkflowStore
from workflows_testing.builders import a_for_each_graph, a_graph, a_mixed_graph, an_instance, build_graph
from workflows_testing.conformance.contract import MovableClock, StoreContract, commit, seconds

__all__ = ["GraphRules"]


class GraphRules(StoreContract):
    """`WorkflowStore.publish`, `graph`, `now`, `check`, `close`, and the tenant of `load`."""

    async def test_a_published_graph_can_be_read(self, store: WorkflowStore) -> None:
        for graph in (a_mixed_graph(), a_for_each_graph(grouped=True)):
            await store.publish([graph])
            found = await store.graph(graph.hash)
            assert found == graph
            assert found is not None
            assert found.hash == graph.hash

    async def test_an_unknown_graph_is_not_found(self, store: WorkflowStore) -> None:
        assert await store.graph(a_graph().hash) is None

    async def test_several_graphs_can_be_published_at_once(self, store: WorkflowStore) -> None:
        graphs = [a_graph(version=f"{number}.0.0") for number in range(5)]
        await store.publish(graphs)
        assert [await store.graph(graph.hash) for graph in graphs] == graphs

    async def test_publishing_nothing_does_nothing(self, store: WorkflowStore, queries: WorkflowQueries) -> None:
        await store.publish([])
        assert list(await queries.list_definitions()) == []

    async def test_a_graph_that_is_published_again_stays_as_it_is(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        await store.publish([a_graph()])
        before = await queries.list_definitions()
        clock.advance(seconds(60))
        await store.publish([a_graph(), a_graph()])
        assert list(await queries.list_definitions()) == list(before)

    async def test_other_content_of_the_same_version_is_kept_beside_the_first(self, store: WorkflowStore) -> None:
        first, second = a_graph("one", "two"), a_graph("one", "two", "three")
        await store.publish([first])
        await store.publish([second])
        assert [await store.graph(graph.hash) for graph in (first, second)] == [first, second]

    async def test_the_order_of_steps_is_kept(self, store: WorkflowStore) -> None:
        graph = a_graph("zulu", "mike", "alpha")
        await store.publish([graph])
        found = await store.graph(graph.hash)
        assert found is not None
        assert list(found.nodes) == ["zulu", "mike", "alpha"]

    async def test_the_same_graph_can_be_published_by_several_at_once(
        self, store: WorkflowStore, peer: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        graphs = [a_graph(), build_graph(a_graph("only").nodes, name="other")]
        await asyncio.gather(*(one.publish(list(order)) for one in (store, peer) for order in (graphs, graphs[::-1])))
        assert len(await queries.list_definitions()) == 2

    async def test_an_instance_is_loaded_for_its_tenant(self, store: WorkflowStore) -> None:
        run = an_instance(tenant="acme")
        await commit(store, run.start())
        loaded = await store.load(run.id, tenant="acme")
        assert loaded is not None
        assert loaded.state == run.state

    async def test_an_instance_is_not_loaded_for_another_tenant(self, store: WorkflowStore) -> None:
        run = an_instance(tenant="acme")
        await commit(store, run.start())
        assert await store.load(run.id, tenant="umbrella") is None
        assert await store.load(run.id, tenant="ACME") is None

    async def test_no_tenant_is_a_tenant_of_its_own(self, store: WorkflowStore) -> None:
        run, without = an_instance(tenant="acme"), an_instance()
        await store.commit([run.start(), without.start()])
        assert await store.load(run.id, tenant="") is None
        assert await store.load(without.id, tenant="acme") is None
        assert await store.load(without.id, tenant="") is not None

    async def test_who_does_not_ask_for_a_tenant_gets_any_instance(self, store: WorkflowStore) -> None:
        run = an_instance(tenant="acme")
        await commit(store, run.start())
        assert await store.load(run.id) is not None

    async def test_the_clock_of_the_store_tells_the_time(self, store: WorkflowStore, clock: MovableClock) -> None:
        assert await store.now() == clock.now()
        moment = clock.advance(seconds(0.000001))
        assert await store.now() == moment

    async def test_a_store_that_works_passes_its_own_check(self, store: WorkflowStore) -> None:
        await store.check()

    async def test_closing_a_second_time_does_nothing(self, store: WorkflowStore) -> None:
        await store.close()
        await store.close()
