"""Any store against the memory store, operation by operation, as Hypothesis makes them up. Needs the extra ``hypothesis``.

    @asynccontextmanager
    async def open_sides(clock: Clock) -> AsyncGenerator[tuple[WorkflowStore, WorkflowQueries]]:
        ...  # the store and the queries over an empty database

    TestMyStoreBehavesAsTheMemoryStore = store_machine(open_sides).TestCase

The conformance kit says each rule alone; this finds what happens between them. A failure is shrunk to the shortest story that shows it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import timedelta
from typing import Any, TypeAlias, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from msgspec.structs import replace

from workflows_core.adapters.memory import InMemoryWorkflowQueries, InMemoryWorkflowStore, MemoryState
from workflows_core.domain.graph import WorkflowGraph
from workflows_core.domain.transition import WorkItem, WorkKind
from workflows_core.domain.types import Parking, StepStatus, WorkflowStatus
from workflows_core.ports.executor import WorkRef
from workflows_core.ports.queries import (
    InstanceFilter,
    InstanceRecord,
    Page,
    PageRequest,
    TaskFilter,
    TaskRecord,
    WorkflowQueries,
    WorkRecord,
)
from workflows_core.ports.store import Claim, ClaimRequest, Held, StartKey, WorkflowStore, Write
from workflows_testing.builders import Run, an_instance, with_transition, with_work
from workflows_testing.clock import ManualClock
from workflows_testing.graphs import (
    a_for_each_graph,
    a_graph,
    a_mixed_graph,
    a_parallel_graph,
    a_task_graph,
    a_timer_graph,
)

__all__ = ["OpenSides", "StoreMachine", "store_machine"]

Sides: TypeAlias = tuple[WorkflowStore, WorkflowQueries]
OpenSides: TypeAlias = Callable[[ManualClock], AbstractAsyncContextManager[Sides]]
T = TypeVar("T")

GRAPHS = (
    a_graph(queue="mail"),
    a_parallel_graph(),
    a_task_graph(),
    a_timer_graph(10),
    a_for_each_graph(),
    a_mixed_graph(),
)
TENANTS = "", "acme", "zoo"
WORKERS = st.sampled_from(["worker-1", "worker-2"])
PICK = st.integers(0, 1_000)
PAGE = PageRequest(limit=3, with_total=True)
STEPS = frozenset({"order@1.0.0/first", "parallel@1.0.0/left", "approval@1.0.0/review"})
DATA = {"orders": ["one", "two", "three"]}


class StoreMachine(RuleBasedStateMachine):
    """Does the same to both stores and compares what they answer. Made by `store_machine`."""

    open_sides: OpenSides

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.opened = AsyncExitStack()
        self.clock = ManualClock()
        memory = MemoryState(self.clock)
        self.reference: Sides = (InMemoryWorkflowStore(memory), InMemoryWorkflowQueries(memory))
        self.subject: Sides = self.runner.run(self.opened.enter_async_context(type(self).open_sides(self.clock)))
        self.runs: list[Run] = []
        self.claims: list[tuple[str, Claim]] = []
        for graph in GRAPHS:
            self.both(_publish(graph))

    def teardown(self) -> None:
        """Compare everything once more and close the store."""
        try:
            for run in self.runs:
                self.compare(run)
            self.compare_lists()
        finally:
            self.runner.run(self.opened.aclose())
            self.runner.close()

    def both(self, ask: Callable[[Sides], Awaitable[T]], shown: Callable[[T], Any] = lambda answer: answer) -> T:
        """Ask both sides, reference first; they must say the same."""

        async def ask_both() -> tuple[T, T]:
            return await ask(self.reference), await ask(self.subject)

        wanted, given = self.runner.run(ask_both())
        assert shown(given) == shown(wanted)
        return given

    def commit(self, run: Run, write: Write) -> None:
        """Commit on both sides; then go on with what the store has."""
        self.both(lambda side: side[0].commit([write]), list)
        self.both(lambda side: side[0].committed(write))
        self.compare(run)

    def compare(self, run: Run) -> None:
        """Compare all that both sides know of an instance."""
        loaded = self.both(lambda side: side[0].load(run.id, all_items=True))
        if loaded is not None:
            run.state = loaded.state
        self.both(lambda side: side[0].load(run.id))
        self.both(lambda side: side[1].get_instance(run.id))
        self.both(lambda side: side[1].list_executions(run.id), list)
        self.both(lambda side: side[1].list_events(run.id), list)
        self.both(lambda side: side[1].list_work(run.id), lambda records: [_work(record) for record in records])

    def compare_lists(self) -> None:
        """Compare lists over all instances."""
        for parked in (False, True):
            self.both(_listed(InstanceFilter(is_parked=parked)))
        for descending in (False, True):
            self.both(_listed(InstanceFilter(order_by="updated_at", descending=descending)))
            self.both(_tasks(TaskFilter(order_by="due_at", descending=descending)))
        self.both(lambda side: side[1].count_instances(InstanceFilter()))
        self.both(lambda side: side[1].find_stalled(), list)

    def work_of(self, *runs: Run) -> tuple[WorkRef, ...]:
        """The work items of some instances."""
        found = [self.both(_work_refs(run)) for run in runs]
        return tuple(ref for refs in found for ref in refs)

    def run_at(self, pick: int) -> Run:
        """One of the instances."""
        return self.runs[pick % len(self.runs)]

    @initialize(picks=st.lists(PICK, min_size=2, max_size=4))
    def begin(self, picks: list[int]) -> None:
        """Begin with some instances."""
        for pick in picks:
            self.start(pick, None, 0.0, None)

    @rule(
        pick=PICK,
        key=st.sampled_from([None, None, "one", "two"]),
        delay_s=st.sampled_from([0.0, 0.0, 5.000001, math.inf]),
        timeout_s=st.sampled_from([None, 8.0, 20.000001]),
    )
    def start(self, pick: int, key: str | None, delay_s: float, timeout_s: float | None) -> None:
        """Start an instance, perhaps with limits of time."""
        graph, tenant = GRAPHS[pick % len(GRAPHS)], TENANTS[pick // len(GRAPHS) % len(TENANTS)]
        run = an_instance(graph, data=DATA, tenant=tenant, now=self.clock.now())
        write = run.start(start_key=None if key is None else StartKey(key, f"digest {pick % 3}"))
        self.runs.append(run)
        write = with_work(write, delay_s=delay_s) if delay_s else write
        self.commit(run, with_work(write, timeout_s=timeout_s) if timeout_s else write)

    @rule(seconds=st.sampled_from([0.000001, 1, 9.999999, 10, 31]))
    def advance(self, seconds: float) -> None:
        """Let time pass, and ask when the next work item is due."""
        self.clock.advance(timedelta(seconds=seconds))
        self.both(lambda side: side[0].next_due(), _waits)
        self.both(lambda side: side[0].next_due(queues=frozenset({"default"}), without=STEPS), _waits)

    @rule(
        worker=WORKERS,
        limit=st.integers(0, 3),
        lease_s=st.sampled_from([5, 30.000001]),
        queues=st.sampled_from([None, None, frozenset({"default"}), frozenset({"mail", "heavy"})]),
        codes=st.sampled_from([None, None, frozenset({"order@1.0.0", "mixed@1.0.0"})]),
        without=st.sampled_from([frozenset(), frozenset(), STEPS]),
        asked=st.none() | st.none() | PICK,
    )
    def claim(
        self,
        worker: str,
        limit: int,
        lease_s: float,
        queues: frozenset[str] | None,
        codes: frozenset[str] | None,
        without: frozenset[str],
        asked: int | None,
    ) -> None:
        """Claim what is due, or the work of some instances if it is."""
        items = None if asked is None else self.work_of(self.run_at(asked), self.run_at(asked + 1))
        request = ClaimRequest(
            worker=worker, limit=limit, lease_s=lease_s, queues=queues, codes=codes, without=without, items=items
        )
        found = self.both(lambda side: side[0].claim(request), lambda claims: [_claim(claimed) for claimed in claims])
        self.claims.extend((worker, claimed) for claimed in found)

    @precondition(lambda self: bool(self.claims))
    @rule(pick=PICK, go_on=st.booleans(), fails=st.booleans())
    def finish(self, pick: int, *, go_on: bool, fails: bool) -> None:
        """Finish a claimed step, perhaps long after somebody else took it over."""
        worker, claimed = self.claims[pick % len(self.claims)]
        run = next(run for run in self.runs if run.id == claimed.state.id)
        held = Held(claimed.item.number, claimed.fence, worker)
        scope = run.state.scopes.get(claimed.item.scope)
        token = scope.tokens.get(claimed.item.number) if scope is not None else None
        if run.state.status.is_final or token is None or token.status is not StepStatus.SCHEDULED or token.items:
            self.commit(run, run.touch(held=held))
        elif fails and scope is not None and scope.id == 0:
            self.commit(run, run.fail(token.node, held=held))
        else:
            write = run.complete(token.node, scope=claimed.item.scope, changes={"last": pick}, result=pick, held=held)
            following = write.transition.work.get(claimed.item.number)
            if go_on and following is not None:
                write = replace(write, take=(following.number,))
            self.commit(run, write)

    @rule(worker=WORKERS)
    def renew(self, worker: str) -> None:
        """Renew the leases of a worker."""
        self.both(lambda side: side[0].renew(worker, 20))

    @precondition(lambda self: bool(self.claims))
    @rule(pick=PICK, theirs=st.booleans(), untouched=st.booleans(), delay_s=st.sampled_from([0.0, 7.5]))
    def release(self, pick: int, delay_s: float, *, theirs: bool, untouched: bool) -> None:
        """Give a work item back, perhaps one that another worker claimed."""
        worker, claimed = self.claims[pick % len(self.claims)]
        asks = "worker-3" if theirs else worker
        self.both(lambda side: side[0].release(asks, [claimed.lease], delay_s=delay_s, untouched=untouched))
        self.both(
            lambda side: side[1].list_work(claimed.state.id), lambda records: [_work(record) for record in records]
        )

    @precondition(lambda self: bool(self.runs))
    @rule(
        pick=PICK,
        keeps=st.booleans(),
        takes=st.booleans(),
        timeout_s=st.sampled_from([None, 12.0]),
        delay_s=st.sampled_from([0.0, 6.0, math.inf]),
        queue=st.sampled_from([None, None, "heavy"]),
    )
    def rewrite(
        self, pick: int, timeout_s: float | None, delay_s: float, queue: str | None, *, keeps: bool, takes: bool
    ) -> None:
        """Write a work item anew, which keeps its limit or not, perhaps for the worker that goes on with it."""
        run = self.run_at(pick)
        records = self.both(lambda side: side[1].list_work(run.id), lambda records: [_work(item) for item in records])
        if not records or not run.state.revision:
            return
        item = records[pick % len(records)].item
        write = run.rewrite(
            replace(item, kind=WorkKind.RUN),
            queue=queue or item.queue,
            delay_s=delay_s,
            timeout_s=timeout_s,
            keeps_timeout=keeps,
        )
        if takes:
            write = replace(write, take=(item.number,), worker="worker-1", lease_s=9.0)
        self.commit(run, write)

    @precondition(lambda self: bool(self.runs))
    @rule(pick=PICK, gives_up=st.booleans())
    def retry(self, pick: int, *, gives_up: bool) -> None:
        """Let an instance that failed go on, or give it up."""
        run = self.run_at(pick)
        if run.state.parked is Parking.DEAD_LETTER:
            self.commit(run, run.discard() if gives_up else run.retry())

    @precondition(lambda self: bool(self.runs))
    @rule(pick=PICK)
    def park_or_go_on(self, pick: int) -> None:
        """Park an instance before its end, or let it go on; without its work it would be stalled."""
        run = self.run_at(pick)
        if run.state.revision and not run.state.status.is_final:
            parked = None if run.state.parked else Parking.COMPENSATION
            gone = {ref.number: None for ref in self.work_of(run)} if parked else {}
            self.commit(run, with_transition(run.touch(parked=parked, has_deadline=not parked), work=gone))
            self.both(lambda side: side[1].find_stalled(), set)

    @precondition(lambda self: bool(self.runs))
    @rule(pick=PICK)
    def pause_or_go_on(self, pick: int) -> None:
        """Pause an instance, or let a paused one go on."""
        run = self.run_at(pick)
        if run.state.revision and not run.state.status.is_final:
            is_paused = run.state.status is WorkflowStatus.PAUSED
            self.commit(run, run.touch(status=WorkflowStatus.RUNNING if is_paused else WorkflowStatus.PAUSED))

    @precondition(lambda self: bool(self.runs))
    @rule(pick=PICK, stale=st.booleans())
    def cancel(self, pick: int, *, stale: bool) -> None:
        """Cancel an instance, perhaps from an old revision."""
        run = self.run_at(pick)
        if run.state.revision > stale and not run.state.status.is_final:
            if stale:
                run.state = replace(run.state, revision=run.state.revision - 1)
            self.commit(run, run.cancel())

    @precondition(lambda self: bool(self.runs))
    @rule(pick=PICK, reassigns=st.booleans())
    def act_on_a_task(self, pick: int, *, reassigns: bool) -> None:
        """Complete a task, or give it to somebody else."""
        run = self.run_at(pick)
        waiting = [token.node for token in run.state.scopes[0].tokens.values() if token.node == "review"]
        if waiting and run.state.revision:
            self.commit(run, run.reassign("review", "carl") if reassigns else run.complete_task("review", {"ok": True}))


def _listed(where: InstanceFilter) -> Callable[[Sides], Awaitable[Page[InstanceRecord]]]:
    return lambda side: side[1].list_instances(where, PAGE)


def _tasks(where: TaskFilter) -> Callable[[Sides], Awaitable[Page[TaskRecord]]]:
    return lambda side: side[1].list_tasks(where, PAGE)


def _publish(graph: WorkflowGraph) -> Callable[[Sides], Awaitable[None]]:
    return lambda side: side[0].publish([graph])


def _work_refs(run: Run) -> Callable[[Sides], Awaitable[list[WorkRef]]]:
    async def ask(side: Sides) -> list[WorkRef]:
        return [WorkRef(run.id, record.item.number) for record in await side[1].list_work(run.id)]

    return ask


def _waits(due: float | None) -> float | None:
    """When work is due, without how long it has been."""
    return None if due is None else max(due, 0.0)


def _spent(item: WorkItem) -> WorkItem:
    """A work item without what a spent delay leaves open."""
    return replace(item, delay_s=0.0, due_at=None, timeout_s=None, keeps_timeout=False)


def _claim(claimed: Claim) -> Claim:
    """A claim without what a spent delay leaves open."""
    return replace(claimed, item=_spent(claimed.item))


def _work(record: WorkRecord) -> WorkRecord:
    """A work item without what a spent delay, or the due time of held work, leaves open."""
    return replace(record, item=_spent(record.item), due_at=record.due_at if record.worker is None else None)


def store_machine(open_sides: OpenSides) -> type[StoreMachine]:
    """The machine for an adapter.

    Args:
        open_sides: Opens the store and the queries, empty and bound to the clock that it is given.
    """
    return type("StoreMachineOfAdapter", (StoreMachine,), {"open_sides": staticmethod(open_sides)})
