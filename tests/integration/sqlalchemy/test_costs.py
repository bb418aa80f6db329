"""What a workflow costs a database: commits, statements, and rows updated in place."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import psycopg
import pytest
from sqlalchemy import Connection, event
from tests.integration.sqlalchemy.sending import PLAN_ANEW, statements_of

from workflows_core import (
    Actor,
    BaseHumanStep,
    BaseMachineStep,
    Edge,
    EventBus,
    WorkflowCompleted,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowRegistry,
)
from workflows_core.ports.queries import InstanceFilter, PageRequest, TaskFilter, WorkflowQueries
from workflows_core.ports.store import ClaimRequest, Committed, Held
from workflows_sqlalchemy import PersistentExecutionEngine, SQLAlchemyWorkflowStore, StoreAndQueries, create_store
from workflows_testing.builders import Run, a_graph, a_task_graph, an_instance
from workflows_testing.servers.databases import PostgresDatabase

STEPS = ("one", "two", "three", "four", "five")
WRITING = ("INSERT", "UPDATE", "DELETE", "WITH")


async def run_linear(store: SQLAlchemyWorkflowStore, run: Run) -> None:
    """Start an instance of five steps, claim the first one, and go on in place to the end."""
    await store.commit([run.start()])
    (claim,) = await store.claim(ClaimRequest(worker="worker-1", limit=1, lease_s=30))
    held = Held(claim.item.number, claim.fence, "worker-1")
    for step, following in zip(STEPS, (*STEPS[1:], None), strict=True):
        write = run.complete(step, changes={step: True}, held=held, take=following)
        (result,) = await store.commit([write])
        assert isinstance(result, Committed)
        if following is not None:
            held = Held(write.take[0], result.fences[write.take[0]], "worker-1")


async def test_five_steps_take_seven_commits(store: SQLAlchemyWorkflowStore) -> None:
    await run_linear(store, an_instance(a_graph(*STEPS)))  # what happens once happens here
    with statements_of(store) as sent:
        await run_linear(store, an_instance(a_graph(*STEPS)))
    if store.backend.engine.dialect.name == "sqlite":
        assert sent.count("COMMIT") == 7
        assert sum(text.startswith("BEGIN") for text in sent) == 7
        assert len(sent) == 52  # 6 for the start, 11 for the claim, 7 for each step
    else:
        # Each statement commits by itself, so there are as many commits as statements, and as many round trips.
        assert len(sent) == 7
        assert all(text.startswith("WITH") for text in sent)


async def test_a_batch_of_transitions_is_one_statement(store: SQLAlchemyWorkflowStore) -> None:
    writes = [an_instance(a_graph(*STEPS)).start() for _ in range(10)]
    with statements_of(store) as sent:
        await store.commit(writes)
    if store.backend.engine.dialect.name == "sqlite":
        assert sent.count("COMMIT") == 1
        assert len(sent) == 8  # two of them set the connection up
    else:
        assert len(sent) == 1


async def test_looking_for_work_in_vain_writes_nothing(store: SQLAlchemyWorkflowStore) -> None:
    with statements_of(store) as sent:
        assert await store.claim(ClaimRequest(worker="worker-1", limit=1, lease_s=30)) == []
        assert await store.next_due() is None
    assert len(sent) <= 2
    assert not any(text.startswith(("BEGIN", "COMMIT", "INSERT", "UPDATE")) for text in sent)


async def test_what_is_read_by_its_key_goes_past_sqlalchemy(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store, queries = create_store(postgres_url)
    run = an_instance(a_task_graph(), tenant="acme")
    await store.commit([run.start()])
    (task,) = (await queries.list_tasks(TaskFilter(), PageRequest())).items
    wanted = run.state, task

    def execute(*_arguments: Any, **_options: Any) -> None:
        pytest.fail("SQLAlchemy executes it")

    monkeypatch.setattr(Connection, "execute", execute)
    for tenant in (None, "acme"):
        loaded, record = await store.load(run.id, tenant=tenant), await queries.get_instance(run.id, tenant=tenant)
        assert loaded is not None
        assert record is not None
        assert (loaded.state, await queries.get_task(task.id, tenant=tenant)) == wanted
        assert record.id == run.id
    monkeypatch.undo()
    await store.close()


async def test_data_are_written_only_when_they_change(postgres_url: str, emptied_postgres: PostgresDatabase) -> None:
    store = create_store(postgres_url).store
    run = an_instance(a_graph(*STEPS), data={"large": "x" * 50_000, "seed": list(range(9000))})
    await store.commit([run.start()])

    def toast() -> Any:
        with psycopg.connect(emptied_postgres.url) as connection:
            query = """
                SELECT pg_relation_size(reltoastrelid) FROM pg_class WHERE relname = 'workflow_instances'
            """
            return connection.execute(query).fetchone()

    before = toast()
    for step in STEPS:
        await store.commit([run.complete(step)])
    assert toast() == before
    loaded = await store.load(run.id)
    assert loaded is not None
    assert loaded.state.data == run.state.data
    await store.close()


async def test_steps_in_a_row_update_their_rows_in_place(postgres_url: str, emptied_postgres: PostgresDatabase) -> None:
    def updates(connection: psycopg.Connection[Any], table: str) -> tuple[int, int]:
        query = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = %s"
        connection.execute("SELECT pg_stat_clear_snapshot()")
        found = connection.execute(query, [table]).fetchone()
        assert found is not None
        return found[0], found[1]

    store = create_store(postgres_url, pool_size=1).store
    with psycopg.connect(emptied_postgres.url, autocommit=True) as connection:
        instances_before, work_before = (
            updates(connection, f"workflow_{name}") for name in ("instances", "work_items")
        )
        for _ in range(10):
            await run_linear(store, an_instance(a_graph(*STEPS)))
        await store.close()  # the statistics of a connection arrive at its end
        instances, work = (updates(connection, f"workflow_{name}") for name in ("instances", "work_items"))
    # Of five updates of an instance the last one changes its status, which is indexed; of five updates of a work item the
    # first one is the claim, which takes it out of the index of due work.
    assert instances[0] - instances_before[0] == 50
    assert instances[1] - instances_before[1] == 40
    assert work[0] - work_before[0] == 50
    assert work[1] - work_before[1] == 40


LISTS: dict[str, Callable[[WorkflowQueries], Awaitable[object]]] = {
    "instances": lambda queries: queries.list_instances(InstanceFilter(), PageRequest(limit=20)),
    "tasks": lambda queries: queries.list_tasks(TaskFilter(), PageRequest(limit=20)),
    "stalled instances": lambda queries: queries.find_stalled(),
}


@pytest.mark.parametrize("name", LISTS)
async def test_a_list_is_one_statement_however_long_it_is(sides: StoreAndQueries, name: str) -> None:
    await sides.store.commit([an_instance(a_graph(*STEPS)).start() for _ in range(5)])
    with statements_of(sides.store) as sent:
        await LISTS[name](sides.queries)
    assert len(sent) == 1


class Nothing(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None:
        """Return at once."""


def linear() -> WorkflowDefinition:
    return WorkflowDefinition(
        name="linear",
        steps={step: Nothing(name=step) for step in STEPS},
        edges=[Edge(source, target) for source, target in pairwise(STEPS)],
        initial_step=STEPS[0],
    )


@contextmanager
def sent_through_asyncpg(store: SQLAlchemyWorkflowStore) -> Iterator[list[str]]:
    """What the store sends meanwhile, as asyncpg tells it: what goes straight to it, and not what SQLAlchemy prepares."""
    sent: list[str] = []

    def note(logged: Any) -> None:
        if logged.query != PLAN_ANEW:
            sent.append(" ".join(logged.query.split()))

    def taken(connection: Any, _record: Any, _proxy: Any) -> None:
        connection.driver_connection.add_query_logger(note)  # of those that are equal it keeps one

    engine = store.backend.engine
    event.listen(engine, "checkout", taken)
    yield sent
    event.remove(engine, "checkout", taken)


Listening: TypeAlias = Callable[[SQLAlchemyWorkflowStore], AbstractContextManager[list[str]]]


class Sent(NamedTuple):
    """What was sent to the server for one workflow, and how long it took."""

    commits: list[str]
    looks: list[str]
    others: list[str]
    seconds: float


async def sent_for_workflows(url: str, listening: Listening, times: int) -> list[Sent]:
    """What is sent for each of several workflows, one after the other."""
    registry, bus = WorkflowRegistry(), EventBus()
    registry.register_definition(linear())
    completed = asyncio.Event()
    bus.subscribe(WorkflowCompleted, lambda _event: completed.set())
    found: list[Sent] = []
    async with PersistentExecutionEngine(registry, url, event_bus=bus) as engine:
        assert isinstance(engine.store, SQLAlchemyWorkflowStore)
        with listening(engine.store) as sent:
            for _ in range(3):  # what happens once happens here
                completed.clear()
                await engine.start_workflow("linear")
                await completed.wait()
            for _ in range(times):
                await asyncio.sleep(0.3)
                completed.clear()
                sent.clear()
                began = time.perf_counter()
                await engine.start_workflow("linear")
                await completed.wait()
                seconds, texts = time.perf_counter() - began, list(sent)
                commits = [text for text in texts if "asked AS" in text]
                looks = [text for text in texts if text.startswith("WITH RECURSIVE")]
                others = [text for text in texts if text not in commits and text not in looks]
                found.append(Sent(commits, looks, others, seconds))
    return found


@pytest.mark.parametrize("listening", [sent_through_asyncpg, statements_of])
async def test_a_workflow_of_five_steps_takes_six_commits_and_reads_nothing_between_its_steps(
    postgres_url: str, listening: Listening
) -> None:
    found = await sent_for_workflows(postgres_url, listening, 3)
    assert [len(sent.commits) for sent in found] == [6, 6, 6]
    # A busy machine may have another connection made meanwhile, which asks for its own settings; but not each time.
    undisturbed = [sent for sent in found if not sent.others]
    assert undisturbed, found[0].others
    # Nobody looks for its first step: it was started as claimed. What is seen are the looks that come in any case, each with
    # the question when to look next, at least 20 milliseconds apart.
    assert all(len(sent.looks) <= 2 * (1 + sent.seconds / 0.02) for sent in undisturbed)


async def test_a_decision_and_the_step_after_it_take_two_commits_and_two_reads(postgres_url: str) -> None:
    steps = {"ask": BaseHumanStep(name="ask"), "then": Nothing(name="then")}
    registry, bus = WorkflowRegistry(), EventBus()
    registry.register_definition(WorkflowDefinition(name="decided", steps=steps, edges=[("ask", "then")]))
    completed = asyncio.Event()
    bus.subscribe(WorkflowCompleted, lambda _event: completed.set())
    async with PersistentExecutionEngine(registry, postgres_url, event_bus=bus) as engine:
        instance = await engine.wait((await engine.start_workflow("decided")).id, timeout=10)
        (task,) = await engine.get_pending_tasks(instance_id=instance.id)
        await asyncio.sleep(0.3)
        assert isinstance(engine.store, SQLAlchemyWorkflowStore)
        with statements_of(engine.store) as sent:
            await engine.complete_task(task.id, {}, actor=Actor("ann"))
            await completed.wait()
    looks = [text for text in sent if text.startswith("WITH RECURSIVE")]
    commits = [text for text in sent if "asked AS" in text]
    assert len(commits) == 2
    assert [text.split()[0] for text in sent if text not in commits and text not in looks] == ["SELECT"] * 2
