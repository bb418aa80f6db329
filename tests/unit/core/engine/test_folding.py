"""Folding: what comes while an instance is being written is written together, and means the same as one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from itertools import count
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings, strategies as st
from msgspec.structs import replace

from workflows_core.adapters.event_bus import EventBus
from workflows_core.adapters.in_process_executor import NullExecutor
from workflows_core.adapters.memory import InMemoryWorkflowQueries, InMemoryWorkflowStore, MemoryState
from workflows_core.adapters.uuid7 import Uuid7Generator
from workflows_core.domain.actor import Actor
from workflows_core.domain.commands import Cancel, Command, CompleteStep, CompleteTask, FailStep, Place, Writes
from workflows_core.domain.events import StepCompleted
from workflows_core.domain.graph import HumanNode, WorkflowGraph
from workflows_core.domain.identity import task_id
from workflows_core.domain.kernel import decide
from workflows_core.domain.payload import encode_payload
from workflows_core.domain.state import ErrorInfo, InstanceState
from workflows_core.domain.transition import WorkKind
from workflows_core.engine.commits import Commits
from workflows_core.engine.folds import Decision
from workflows_core.errors import ItemsNotLoadedError, StaleExecutionError, StateError, StoreUnavailableError
from workflows_core.ports.store import Claim, ClaimRequest, Committed, Conflict, Held, LeaseLost, Write, WriteResult
from workflows_testing.builders import START, Run, a_for_each_graph, a_parallel_graph, an_instance
from workflows_testing.clock import ManualClock


class Gated(InMemoryWorkflowStore):
    """A store whose commits wait until the gate is open."""

    def __init__(self, memory: MemoryState) -> None:
        super().__init__(memory)
        self.gate = asyncio.Event()
        self.gate.set()
        self.written: list[Write] = []
        self.fails: Callable[[Write], Exception | None] = lambda _write: None

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        await self.gate.wait()
        self.written.extend(writes)
        for write in writes:
            error = self.fails(write)
            if error is not None:
                raise error
        return await super().commit(writes)


class Told(Decision):
    """A command that somebody sends.

    Attributes:
        decided: How many times it was decided.
        turn: Grows from decision to decision, whosoever they are; that of the last one.
    """

    _turns: ClassVar[Iterator[int]] = count()

    def __init__(
        self, run: Run, command: Command, claim: Claim | None = None, *, takes: bool = True, worker: str = ""
    ) -> None:
        self.seen = run.state if claim is None else claim.state
        self.scope = (
            command.place.scope if isinstance(command, CompleteTask) else 0 if claim is None else claim.item.scope
        )
        self.held = None if claim is None else Held(claim.item.number, claim.fence, "worker-1")
        self.worker = worker if claim is None else "worker-1"
        self.lease_s = 30.0
        self.decided = self.turn = 0
        self._run = run
        self._command = command
        self._takes = takes and self.worker != ""

    def decide(self, state: InstanceState) -> None:
        self.decided += 1
        self.turn = next(self._turns)
        actor = "ann" if isinstance(self._command, Cancel | CompleteTask) else "system"
        self.transition = decide(self._run.program, state, self._command, actor)
        ready = [
            number
            for number, item in self.transition.work.items()
            if item is not None and item.kind is WorkKind.RUN and self.transition.state.knows_data(item.scope)
        ]
        self.take = tuple(ready[:1]) if self._takes else ()


class World:
    """A store in memory, what commits to it, and one instance."""

    def __init__(self, graph: WorkflowGraph, data: dict[str, Any] | None = None) -> None:
        self.memory = MemoryState(ManualClock())
        self.store = Gated(self.memory)
        self.queries = InMemoryWorkflowQueries(self.memory)
        self.events = EventBus()
        self.commits = Commits(self.store, Uuid7Generator(), NullExecutor(), self.events, soon_s=1.0)
        self.run = an_instance(graph, data=data)

    async def begin(self) -> list[Claim]:
        await self.commits.commit(self.run.start().transition)
        return await self.store.claim(ClaimRequest(worker="worker-1", limit=50, lease_s=30))

    async def send(self, told: Told) -> WriteResult | Exception:
        """Send a command as its sender does; on a conflict, and where items are wanting, read and try again."""
        all_items = False
        for _ in range(20):
            try:
                result = await self.commits.decide(told)
            except ItemsNotLoadedError:
                all_items = True
            except (StateError, StoreUnavailableError) as error:
                return error
            else:
                if not isinstance(result, Conflict):
                    return result
            loaded = await self.store.load(self.run.id, scopes=(told.scope,), all_items=all_items)
            assert loaded is not None
            told.seen = loaded.state
        msg = "it never ends"
        raise AssertionError(msg)

    async def send_at_once(self, told: Sequence[Told]) -> list[WriteResult | Exception]:
        """Send commands while the first of them is being written."""
        self.store.gate.clear()
        sent = [asyncio.create_task(self.send(one)) for one in told]
        await asyncio.sleep(0)
        self.store.gate.set()
        return await asyncio.gather(*sent)

    async def outcome(self) -> Any:
        """All that is stored of the instance, but how many transitions it took."""
        loaded = await self.store.load(self.run.id, all_items=True)
        assert loaded is not None
        state = replace(loaded.state, id=self.run.id, revision=0)
        events = [(record.actor, type(record.event)) for record in await self.queries.list_events(self.run.id)]
        work = [(record.item, record.worker) for record in await self.queries.list_work(self.run.id)]
        return state, [record.execution for record in await self.queries.list_executions(self.run.id)], events, work


def completes(run: Run, claim: Claim, **changes: Any) -> CompleteStep:
    place = Place(claim.item.scope, claim.item.number, claim.item.execution)
    encoded = {key: encode_payload(value) for key, value in changes.items()}
    return CompleteStep(place=place, now=START, started_at=START, writes=Writes(encoded), result=encode_payload(1))


def fails(claim: Claim) -> FailStep:
    place = Place(claim.item.scope, claim.item.number, claim.item.execution)
    return FailStep(place=place, now=START, error=ErrorInfo("Error", "it broke", claim.item.step))


BRANCHES = tuple(f"branch_{number}" for number in range(20))


async def test_branches_that_finish_at_once_take_two_commits_and_read_nothing() -> None:
    world = World(a_parallel_graph(*BRANCHES))
    claims = await world.begin()
    reads: list[Any] = []
    world.store.load = lambda *args, **_more: reads.append(args)  # type: ignore[method-assign, assignment]
    world.store.written.clear()
    told = [Told(world.run, completes(world.run, claim), claim) for claim in claims]
    results = await world.send_at_once(told)
    assert [type(result) for result in results] == [Committed] * 20
    assert len(world.store.written) == 2
    assert len(world.store.written[1].holds) == 19
    assert [one.decided for one in told] == [1] * 20
    assert reads == []


async def test_what_was_claimed_before_the_last_write_is_decided_on_it_and_reads_nothing() -> None:
    world = World(a_parallel_graph(*BRANCHES))
    claims = await world.begin()
    reads: list[Any] = []
    world.store.load = lambda *args, **_more: reads.append(args)  # type: ignore[method-assign, assignment]
    told = [Told(world.run, completes(world.run, claim), claim) for claim in claims]
    for one in told:
        assert isinstance(await world.send(one), Committed)
    assert [one.decided for one in told] == [1] * 20
    assert reads == []


async def test_what_was_written_last_is_forgotten_if_the_store_refuses_it() -> None:
    world = World(a_parallel_graph(*BRANCHES[:4]))
    claims = await world.begin()
    told = [Told(world.run, completes(world.run, claim), claim) for claim in claims]
    replica = deepcopy(world.memory, {id(shared): shared for shared in (world.memory.lock, world.memory.clock)})
    assert isinstance(await world.send(told[0]), Committed)
    world.store.memory = replica  # it takes over, and had not heard of it
    assert [type(result) for result in await world.send_at_once(told[1:])] == [Committed] * 3


async def test_whoever_lacks_items_is_told_so_also_while_others_are_written() -> None:
    world = World(a_for_each_graph(concurrency=4), {"orders": list(range(6))})
    first, second, *_ = await world.begin()
    world.store.gate.clear()
    sent = [Told(world.run, completes(world.run, first), first), Told(world.run, fails(second), second)]
    deciding = [asyncio.create_task(world.commits.decide(told)) for told in sent]
    await asyncio.sleep(0)
    world.store.gate.set()
    results = await asyncio.gather(*deciding, return_exceptions=True)
    assert [type(result) for result in results] == [Committed, ItemsNotLoadedError]


async def test_an_item_that_has_ended_is_not_there_for_those_who_knew_it() -> None:
    world = world_of("forms")
    told = await commands_of(world, [("complete", 0), ("complete", 1), ("complete", 1), ("complete", 1)])
    results = await world.send_at_once(told)
    assert [type(result) for result in results] == [Committed, Committed, StaleExecutionError, StaleExecutionError]
    loaded = await world.store.load(world.run.id)
    assert loaded is not None
    [each] = loaded.state.scopes[0].tokens.values()
    assert each.items is not None
    assert each.items.done == 2


async def test_what_was_written_last_is_forgotten_when_the_store_was_away() -> None:
    world, other = World(a_parallel_graph(*BRANCHES[:4])), an_instance()
    claims = await world.begin()
    told = [Told(world.run, completes(world.run, claim), claim) for claim in claims[:2]]
    assert isinstance(await world.send(told[0]), Committed)
    world.store.fails = lambda write: StoreUnavailableError("it is away")
    with pytest.raises(StoreUnavailableError):
        await world.commits.commit(other.start().transition)
    world.store.fails = lambda _write: None
    assert isinstance(await world.send(told[1]), Committed)
    assert told[1].decided == 2, "on what it had seen, and on what it read when that was refused"


async def test_only_the_one_that_completed_the_join_goes_on() -> None:
    world = World(a_parallel_graph(*BRANCHES))
    told = [Told(world.run, completes(world.run, claim), claim) for claim in await world.begin()]
    results = [result for result in await world.send_at_once(told) if isinstance(result, Committed)]
    assert [bool(result.fences) for result in results] == [False] * 19 + [True]
    assert told[-1].transition.state.revision == 3
    (work,) = await world.queries.list_work(world.run.id)
    assert (work.item.step, work.worker) == ("join", "worker-1")


async def test_a_lost_lease_harms_only_its_holder() -> None:
    world = World(a_parallel_graph(*BRANCHES[:6]))
    claims = await world.begin()
    told = [Told(world.run, completes(world.run, claim), claim) for claim in claims]
    told[3].held = Held(claims[3].item.number, claims[3].fence + 7, "worker-1")
    results = await world.send_at_once(told)
    assert [type(result) for result in results] == [Committed] * 3 + [LeaseLost] + [Committed] * 2
    assert len(await world.queries.list_executions(world.run.id)) == 1 + 5


async def test_what_was_to_follow_a_refused_write_is_decided_anew_with_its_result_in_hand() -> None:
    world = World(a_parallel_graph(*BRANCHES[:4]))
    claims = await world.begin()
    told = [Told(world.run, completes(world.run, claim), claim) for claim in claims]
    world.run.state = claims[0].state
    await world.store.commit([world.run.touch()])  # another process was first
    results = await world.send_at_once(told)
    assert [type(result) for result in results] == [Committed] * 4
    assert [one.decided for one in told] == [2, 1, 1, 1]


async def test_a_lost_store_is_told_to_everybody_whose_write_it_was() -> None:
    world = World(a_parallel_graph(*BRANCHES[:4]))
    told = [Told(world.run, completes(world.run, claim), claim) for claim in await world.begin()]
    world.store.fails = lambda write: StoreUnavailableError("it is away") if write.also_held else None
    results = await world.send_at_once(told)
    assert [type(result) for result in results] == [Committed] + [StoreUnavailableError] * 3


async def test_a_write_whose_answer_is_lost_is_found_by_its_id() -> None:
    world = World(a_parallel_graph(*BRANCHES[:4]))
    told = [Told(world.run, completes(world.run, claim), claim) for claim in await world.begin()]
    commit = world.store.commit
    lost: list[Write] = []

    async def losing(writes: Sequence[Write]) -> Sequence[WriteResult]:
        results = await commit(writes)
        if writes[0].also_held and not lost:
            lost.extend(writes)
            reason = "the answer was lost"
            raise StoreUnavailableError(reason)
        return results

    world.store.commit = losing  # type: ignore[method-assign]
    assert [type(result) for result in await world.send_at_once(told)] == [Committed] * 4
    assert lost, "a write of several was under way"
    assert len(await world.queries.list_executions(world.run.id)) == 1 + 4


async def test_a_sender_who_gave_up_waiting_is_left_out() -> None:
    world = World(a_parallel_graph(*BRANCHES[:4]))
    told = [Told(world.run, completes(world.run, claim), claim) for claim in await world.begin()]
    world.store.gate.clear()
    sent = [asyncio.create_task(world.send(one)) for one in told]
    await asyncio.sleep(0)
    sent[2].cancel()
    await asyncio.sleep(0)
    world.store.gate.set()
    results = await asyncio.gather(*sent, return_exceptions=True)
    assert isinstance(results[2], asyncio.CancelledError)
    assert len(await world.queries.list_executions(world.run.id)) == 1 + 3


async def test_a_sender_who_gave_up_while_the_own_write_was_under_way_holds_up_nobody() -> None:
    world = World(a_parallel_graph(*BRANCHES[:4]))
    told = [Told(world.run, completes(world.run, claim), claim) for claim in await world.begin()]
    world.store.gate.clear()
    sent = [asyncio.create_task(world.send(one)) for one in told]
    await asyncio.sleep(0)
    sent[0].cancel()
    await asyncio.sleep(0)
    world.store.gate.set()
    results = await asyncio.gather(*sent[1:])
    assert [type(result) for result in results] == [Committed] * 3


async def test_people_and_workers_are_written_apart() -> None:
    world = World(a_parallel_graph(*BRANCHES[:3]))
    told = [Told(world.run, completes(world.run, claim), claim) for claim in await world.begin()]
    cancel = Told(world.run, Cancel(actor=Actor("ann"), now=START))
    results = await world.send_at_once([told[0], told[1], cancel, told[2]])
    assert isinstance(results[2], Committed)
    assert isinstance(results[3], StateError)
    actors = [write.transition.actor for write in world.store.written]
    assert actors == ["ann", "system", "system", "ann"]


def decisions(world: World, *workers: str) -> list[Told]:
    """Decisions of one person, each of the next branch; what follows is left to a worker."""
    tokens = world.run.state.scopes[0].tokens.values()
    return [
        Told(
            world.run,
            CompleteTask(
                place=Place(0, token.id, token.execution),
                now=START,
                task_id=task_id(world.run.id, token.execution),
                actor=Actor("ann"),
                form={},
                form_document=encode_payload({}),
            ),
            worker=worker,
        )
        for token, worker in zip(tokens, workers, strict=True)
    ]


async def test_what_follows_from_decisions_that_are_written_together_is_left_to_one_worker() -> None:
    world = World(a_parallel_graph(*BRANCHES[:4], kind=HumanNode(title="Do it")))
    await world.begin()
    results = await world.send_at_once(decisions(world, "", "worker-1", "", "worker-1"))
    assert [type(result) for result in results] == [Committed] * 4
    written = world.store.written[1:]
    assert [(write.worker, write.take != ()) for write in written] == [("", False), ("worker-1", True)]


async def test_decisions_that_leave_what_follows_to_other_workers_are_written_apart() -> None:
    world = World(a_parallel_graph(*BRANCHES[:3], kind=HumanNode(title="Do it")))
    await world.begin()
    results = await world.send_at_once(decisions(world, "", "worker-1", "worker-2"))
    assert [type(result) for result in results] == [Committed] * 3
    (work,) = await world.queries.list_work(world.run.id)
    assert (work.item.step, work.worker) == ("join", "worker-2")


async def test_what_a_later_decision_takes_away_is_left_to_nobody() -> None:
    world = World(a_parallel_graph(*BRANCHES[:2], kind=HumanNode(title="Do it")))
    await world.begin()
    cancel = Told(world.run, Cancel(actor=Actor("ann"), now=START))
    results = await world.send_at_once([*decisions(world, "", "worker-1"), cancel])
    assert [len(write.transition.executions) for write in world.store.written[1:]] == [1, 2], (
        "they were written together"
    )
    assert [result.fences for result in results if isinstance(result, Committed)] == [{}] * 3
    assert await world.queries.list_work(world.run.id) == []


async def test_a_listener_may_send_a_command_for_the_instance_that_it_hears_of() -> None:
    world = World(a_parallel_graph(*BRANCHES[:4]))
    told = [Told(world.run, completes(world.run, claim), claim) for claim in await world.begin()]
    cancel = Told(world.run, Cancel(actor=Actor("ann"), now=START))
    heard: list[object] = []

    async def listener(event: StepCompleted) -> None:
        heard.append(event)
        if len(heard) == 2:
            heard.append(await world.send(cancel))

    world.events.subscribe(StepCompleted, listener)
    async with asyncio.timeout(5):
        await world.send_at_once(told)
        while len(heard) < 3:
            await asyncio.sleep(0)
    assert isinstance(heard[2], Committed)


async def test_items_that_finish_at_once_are_written_together_without_reading_all_of_them() -> None:
    world = World(a_for_each_graph(concurrency=10), {"orders": list(range(10))})
    told = [Told(world.run, completes(world.run, claim), claim, takes=False) for claim in await world.begin()]
    world.store.written.clear()
    results = await world.send_at_once(told)
    assert [type(result) for result in results] == [Committed] * 10
    assert len(world.store.written) == 2


@st.composite
def crowds(draw: st.DrawFn) -> tuple[str, list[tuple[str, int]]]:
    graph = draw(st.sampled_from(["parallel", "people", "items", "forms", "parcels"]))
    kinds = st.sampled_from(["complete", "complete", "complete", "fail", "cancel", "stale"])
    return graph, draw(st.lists(st.tuples(kinds, st.integers(0, 5)), min_size=1, max_size=9))


def world_of(kind: str) -> World:
    match kind:
        case "parallel":
            return World(a_parallel_graph(*BRANCHES[:6]), {"seed": 1})
        case "people":
            return World(a_parallel_graph(*BRANCHES[:6], kind=HumanNode(title="Do it")), {"seed": 1})
        case "items":
            return World(a_for_each_graph(concurrency=4), {"orders": list(range(6))})
        case "forms":
            return World(a_for_each_graph(concurrency=4, kind=HumanNode(title="Do it")), {"orders": list(range(6))})
        case _:
            return World(a_for_each_graph(concurrency=4, grouped=True), {"orders": list(range(6))})


async def commands_of(world: World, crowd: list[tuple[str, int]]) -> list[Told]:
    claims = await world.begin()
    loaded = await world.store.load(world.run.id, all_items=True)
    assert loaded is not None
    world.run.state = loaded.state
    inner = [scope for scope in loaded.state.scopes.values() if scope.home != 0] or [loaded.state.scopes[0]]
    tokens = [(scope.id, token) for scope in inner for token in scope.tokens.values()]
    told: list[Told] = []
    for kind, number in crowd:
        if kind == "cancel":
            told.append(Told(world.run, Cancel(actor=Actor("ann"), now=START)))
        elif not claims:
            scope, token = tokens[number % len(tokens)]
            form = {f"by_{number}": encode_payload(kind)}
            told.append(
                Told(
                    world.run,
                    CompleteTask(
                        place=Place(scope, token.id, token.execution),
                        now=START,
                        task_id=task_id(world.run.id, token.execution),
                        actor=Actor("ann"),
                        form=form,
                        form_document=encode_payload({"kind": kind}),
                    ),
                )
            )
            read = {0, scope}  # as the use case reads it
            told[-1].seen = replace(loaded.state, scopes={key: loaded.state.scopes[key] for key in read})
        else:
            claim = claims[number % len(claims)]
            command = fails(claim) if kind == "fail" else completes(world.run, claim, shared=number, **{kind: number})
            told.append(Told(world.run, command, claim))
            if kind == "stale":
                told[-1].held = Held(claim.item.number, claim.fence + 1, "worker-1")
    return told


@settings(max_examples=150, deadline=None)
@given(crowds(), st.integers(1, 9))
def test_what_is_folded_means_the_same_as_one_after_the_other(
    crowd: tuple[str, list[tuple[str, int]]], waits: int
) -> None:
    """In the order in which they are decided: that of their coming, but for those who have to read the instance again.

    Some come when the others have been written, and know nothing of that.
    """
    kind, commands = crowd

    async def folded(world: World) -> tuple[list[int], list[bool], Any]:
        told = await commands_of(world, commands)
        results = [*await world.send_at_once(told[:waits]), *await world.send_at_once(told[waits:])]
        order = sorted(range(len(told)), key=lambda one: told[one].turn)
        return order, [isinstance(results[one], Committed) for one in order], await world.outcome()

    async def serial(world: World, order: list[int]) -> tuple[list[bool], Any]:
        told = await commands_of(world, commands)
        results = [await world.send(told[one]) for one in order]
        return [isinstance(result, Committed) for result in results], await world.outcome()

    one, other = world_of(kind), world_of(kind)
    other.run = Run(one.run.program, one.run.first, one.run.state, one.run.now)
    order, *outcome = asyncio.run(folded(one))
    assert outcome == [*asyncio.run(serial(other, order))]


def test_the_crowds_are_folded_indeed() -> None:
    async def written() -> list[Write]:
        world = world_of("parallel")
        await world.send_at_once(await commands_of(world, [("complete", number) for number in range(6)]))
        return world.store.written

    assert [len(write.holds) for write in asyncio.run(written())] == [0, 1, 5]


@pytest.mark.parametrize("graph", ["items", "parcels"])
def test_a_crowd_of_items_is_folded_indeed(graph: str) -> None:
    async def written() -> list[Write]:
        world = world_of(graph)
        await world.send_at_once(await commands_of(world, [("complete", number) for number in range(4)]))
        return world.store.written

    assert [len(write.holds) for write in asyncio.run(written())] == [0, 1, 3]
