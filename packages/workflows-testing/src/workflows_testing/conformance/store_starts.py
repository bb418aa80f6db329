"""Rules of the store: how an instance comes into being."""

from __future__ import annotations

from workflows_core.ports.store import Conflict, DuplicateKey, StartKey, WorkflowStore
from workflows_testing.builders import a_graph, an_instance
from workflows_testing.conformance.contract import StoreContract, commit, load

__all__ = ["StartRules"]


class StartRules(StoreContract):
    """The first transition of an instance, with and without a start key."""

    async def test_a_started_instance_can_be_loaded(self, store: WorkflowStore) -> None:
        run = an_instance(data={"amount": 7}, metadata={"source": "web"})
        await commit(store, run.start())
        assert (await load(store, run)).state == run.state

    async def test_an_instance_that_was_never_started_is_not_found(self, store: WorkflowStore) -> None:
        assert await store.load(an_instance().id) is None

    async def test_the_same_start_a_second_time_is_a_conflict(self, store: WorkflowStore) -> None:
        run = an_instance()
        write = run.start()
        await commit(store, write)
        assert await store.commit([write]) == [Conflict()]

    async def test_a_used_start_key_tells_what_it_started(self, store: WorkflowStore) -> None:
        first, second = an_instance(), an_instance()
        await commit(store, first.start(start_key=StartKey("order-1", "digest-1")))
        results = await store.commit([second.start(start_key=StartKey("order-1", "digest-1"))])
        assert list(results) == [DuplicateKey(first.id, "digest-1")]

    async def test_a_used_start_key_tells_the_digest_of_the_first_request(self, store: WorkflowStore) -> None:
        first, second = an_instance(), an_instance()
        await commit(store, first.start(start_key=StartKey("order-1", "digest-1")))
        results = await store.commit([second.start(start_key=StartKey("order-1", "digest-2"))])
        assert list(results) == [DuplicateKey(first.id, "digest-1")]

    async def test_a_start_with_a_used_key_leaves_nothing(self, store: WorkflowStore) -> None:
        first, second = an_instance(), an_instance()
        await commit(store, first.start(start_key=StartKey("order-1", "digest-1")))
        await store.commit([second.start(start_key=StartKey("order-1", "digest-1"))])
        assert await store.load(second.id) is None

    async def test_a_start_key_is_unique_for_its_tenant_only(self, store: WorkflowStore) -> None:
        await commit(store, an_instance(tenant="acme").start(start_key=StartKey("order-1", "digest-1")))
        await commit(store, an_instance(tenant="umbrella").start(start_key=StartKey("order-1", "digest-1")))
        await commit(store, an_instance().start(start_key=StartKey("order-1", "digest-1")))

    async def test_a_start_key_is_unique_for_its_workflow_only(self, store: WorkflowStore) -> None:
        await commit(store, an_instance(a_graph(name="order")).start(start_key=StartKey("1", "digest-1")))
        await commit(store, an_instance(a_graph(name="refund")).start(start_key=StartKey("1", "digest-1")))

    async def test_a_start_key_is_used_up_whatever_the_version(self, store: WorkflowStore) -> None:
        first, second = an_instance(a_graph(version="1.0.0")), an_instance(a_graph(version="2.0.0"))
        await commit(store, first.start(start_key=StartKey("order-1", "digest-1")))
        results = await store.commit([second.start(start_key=StartKey("order-1", "digest-1"))])
        assert list(results) == [DuplicateKey(first.id, "digest-1")]

    async def test_of_two_starts_with_one_key_in_one_call_the_first_wins(self, store: WorkflowStore) -> None:
        key = StartKey("order-1", "digest-1")
        first, second = an_instance(), an_instance()
        results = await store.commit([first.start(start_key=key), second.start(start_key=key)])
        assert results[1] == DuplicateKey(first.id, "digest-1")
        assert await store.load(second.id) is None
