"""Rules of the store: what goes in comes out, bit by bit, whatever it looks like."""

from __future__ import annotations

import random
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final

import msgspec

from workflows_core.domain.actor import Actor
from workflows_core.domain.graph import HumanNode, MachineNode, Node
from workflows_core.domain.state import TOMBSTONE, ErrorInfo
from workflows_core.ports.executor import WorkRef
from workflows_core.ports.queries import InstanceFilter, PageRequest, WorkflowQueries
from workflows_core.ports.store import ClaimRequest, StartKey, WorkflowStore, code_key
from workflows_testing.builders import (
    Run,
    a_for_each_graph,
    a_graph,
    a_task_graph,
    a_webhook_graph,
    an_instance,
    build_graph,
    with_transition,
)
from workflows_testing.conformance.contract import (
    MovableClock,
    StoreContract,
    claim,
    claim_one,
    commit,
    load,
    seconds,
    start,
)

__all__ = ["ODD_NAMES", "PayloadRules"]

ODD_NAMES: Final = (
    "with space",
    'it\'s "quoted" `here`',
    "100%_done\\or:not",
    "line\nbreak\ttab",
    "Ünïcödé",
    "日本語",
    "👩‍💻",
    "e\u0301",  # not the same as "é"
    "é",
    "; DROP TABLE instances; --",
    "{curly} $dollar ${both}",
    "a/b@c#d",
)

EVERY_BYTE: Final = bytes(range(256))


async def store_raw(store: WorkflowStore, data: dict[str, bytes], **changes: Any) -> Run:
    """Start an instance with data that were encoded by somebody else."""
    run = an_instance()
    run.first = msgspec.structs.replace(run.first, data=data)
    root = msgspec.structs.replace(run.state.scopes[0], data=data)
    run.state = msgspec.structs.replace(run.state, scopes={0: root}, **changes)
    await commit(store, run.start())
    return run


class PayloadRules(StoreContract):
    """Bytes, names and times."""

    async def test_payloads_of_any_bytes_come_back_exactly(self, store: WorkflowStore) -> None:
        data = {"all": EVERY_BYTE, "nul": b"\x00", "end": b"x\x00", "not utf-8": b"\xff\xfe", "spaces": b"  \n "}
        run = await store_raw(store, data)
        assert (await load(store, run)).state.data == data

    async def test_a_payload_of_a_megabyte_comes_back_exactly(self, store: WorkflowStore) -> None:
        large = random.Random(7).randbytes(1_000_000)
        run = await store_raw(store, {"large": large})
        found = (await load(store, run)).state.data["large"]
        assert (len(found), sha256(found).hexdigest()) == (len(large), sha256(large).hexdigest())

    async def test_many_keys_come_back_exactly(self, store: WorkflowStore) -> None:
        data = {f"key {number}": b"%d" % number for number in range(2000)}
        run = await store_raw(store, data)
        assert (await load(store, run)).state.data == data

    async def test_data_keys_may_be_any_text(self, store: WorkflowStore) -> None:
        data = {**dict.fromkeys(ODD_NAMES, b"1"), "": b"2", "nul\x00inside": b"3"}
        run = await store_raw(store, data)
        assert (await load(store, run)).state.data == data

    async def test_metadata_of_any_bytes_come_back_exactly(self, store: WorkflowStore) -> None:
        run = await store_raw(store, {}, metadata=EVERY_BYTE)
        assert (await load(store, run)).state.metadata == EVERY_BYTE

    async def test_calls_that_came_early_come_back_exactly(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_webhook_graph()))
        buffered = {f"0/{name}/1": EVERY_BYTE for name in ODD_NAMES}
        await commit(store, run.touch(buffered=buffered))
        assert (await load(store, run)).state.buffered == buffered

    async def test_signals_that_were_kept_come_back_exactly_and_in_order(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance())
        signals = dict.fromkeys(ODD_NAMES, (EVERY_BYTE, b"", b"\x00"))
        await commit(store, run.touch(signals=signals, signal_keys=tuple(ODD_NAMES)))
        state = (await load(store, run)).state
        assert (state.signals, state.signal_keys) == (signals, tuple(ODD_NAMES))

    async def test_results_inside_scopes_come_back_exactly(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_for_each_graph(grouped=True), data={"orders": [1]}))
        group = run.state.scopes[run.item("pack").scope]
        item = run.state.scopes[group.parent]
        changed = msgspec.structs.replace(
            group, data={"deleted outside": TOMBSTONE, "raw": EVERY_BYTE}, results={"pack": EVERY_BYTE}
        )
        write = run.touch(scopes={**run.state.scopes, group.id: changed})
        await commit(store, with_transition(write, items=(item,)))
        assert (await load(store, run, scopes=(group.id,))).state.scopes[group.id] == changed

    async def test_results_of_items_of_any_bytes_come_back_exactly(self, store: WorkflowStore) -> None:
        run = await start(store, an_instance(a_for_each_graph(), data={"orders": [1, 2]}))
        token = run.find("each")[1]
        assert token.items is not None
        first = token.items.first
        write = with_transition(run.touch(), item_results={first: EVERY_BYTE, first + 1: b"\x00"})
        await commit(store, write)
        assert await store.item_results(run.id, first, 2) == [EVERY_BYTE, b"\x00"]

    async def test_the_result_of_an_execution_comes_back_exactly(
        self, store: WorkflowStore, queries: WorkflowQueries
    ) -> None:
        run = await start(store, an_instance())
        write = run.complete("first", result="anything")
        (execution,) = write.transition.executions
        raw = msgspec.structs.replace(execution, result=EVERY_BYTE)
        await commit(store, with_transition(write, executions=(raw,)))
        assert [record.execution for record in await queries.list_executions(run.id)] == [raw]

    async def test_an_error_may_say_anything(self, store: WorkflowStore, queries: WorkflowQueries) -> None:
        error = ErrorInfo("OddError", "nul \x00 and 日本語", "first", "Traceback\n  …", ODD_NAMES)
        run = await start(store, an_instance())
        await commit(store, run.touch(error=error))
        assert (await load(store, run)).state.error == error
        record = await queries.get_instance(run.id)
        assert record is not None
        assert record.error == error

    async def test_workflows_steps_and_queues_may_have_odd_names(self, store: WorkflowStore) -> None:
        for name in ODD_NAMES:
            graph = build_graph({name: Node(name, MachineNode(), queue=name)}, name=name, version=name)
            run = await start(store, an_instance(graph))
            (claimed,) = await claim(store, queues=frozenset({name}), codes=frozenset({code_key(name, name)}))
            assert (claimed.item.step, claimed.item.queue, claimed.state) == (name, name, run.state)
            assert await store.graph(graph.hash) == graph

    async def test_tenants_and_actors_may_have_odd_names(self, store: WorkflowStore, queries: WorkflowQueries) -> None:
        for name in ODD_NAMES:
            run = await start(store, an_instance(actor=Actor(name, tenant=name)))
            loaded = await store.load(run.id, tenant=name)
            assert loaded is not None
            assert (loaded.state.tenant, loaded.state.created_by) == (name, name)
            found = await queries.list_instances(InstanceFilter(tenant=name, created_by=name), PageRequest())
            assert [record.id for record in found.items] == [run.id]

    async def test_workers_may_have_odd_names(self, store: WorkflowStore) -> None:
        for name in ODD_NAMES:
            run = await start(store, an_instance())
            items = (WorkRef(run.id, run.number("first")),)
            (claimed,) = await store.claim(ClaimRequest(worker=name, limit=1, lease_s=30, items=items))
            assert await store.renew(name, 30) == {claimed.lease}

    async def test_start_keys_may_be_any_text_and_are_compared_exactly(self, store: WorkflowStore) -> None:
        for key in (*ODD_NAMES, "key", "KEY", "key "):
            await commit(store, an_instance().start(start_key=StartKey(key, "digest")))

    async def test_texts_of_a_task_come_back_exactly(self, store: WorkflowStore, queries: WorkflowQueries) -> None:
        schema = {"type": "object", "properties": {name: {"title": name} for name in ODD_NAMES}, "required": ["é"]}
        kind = HumanNode(
            title="日本語", description="\n".join(ODD_NAMES), form_schema=schema, candidate_groups=ODD_NAMES
        )
        run = await start(store, an_instance(a_task_graph(kind)))
        opening = run.transition.opened[0] if run.transition is not None else None
        task = await queries.get_task(run.task("review"))
        assert task is not None
        assert task.opening == opening

    async def test_times_keep_their_microseconds(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        moment = clock.advance(seconds(86400.123457))
        run = await start(store, an_instance(now=moment))
        await commit(store, run.complete("first"))
        loaded = await load(store, run)
        assert loaded.state == run.state
        assert loaded.state.started_at == moment
        assert loaded.state.last["first"].completed_at == moment
        (record,) = await queries.list_executions(run.id)
        assert (record.execution.started_at, record.completed_at) == (moment, moment)

    async def test_all_times_are_told_in_utc(
        self, store: WorkflowStore, queries: WorkflowQueries, clock: MovableClock
    ) -> None:
        run = await start(store, an_instance(a_graph()))
        claimed = await claim_one(store)
        (work,) = await queries.list_work(run.id)
        record = await queries.get_instance(run.id)
        assert record is not None
        told = [
            await store.now(), claimed.at, work.due_at, work.lease_until, record.started_at, record.updated_at,
            (await load(store, run)).at,
        ]  # fmt: skip
        assert {None if moment is None else moment.utcoffset() for moment in told} == {timedelta(0)}
