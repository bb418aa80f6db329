"""Engine calls inside a session of the application's own: durable when that is committed, gone when it is rolled back."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from workflows_core import (
    Actor,
    BaseHumanStep,
    BaseMachineStep,
    Edge,
    EngineSettings,
    EventBus,
    LocalExecutionEngine,
    WaitForSignal,
    WebhookStep,
    Workflow,
    WorkflowContext,
    WorkflowRegistry,
    WorkflowStatus,
)
from workflows_core.domain.events import RecordedEvent
from workflows_core.errors import (
    IdempotencyConflictError,
    InstanceNotFoundError,
    SessionRefusedError,
    StoreUnavailableError,
    TaskAlreadyCompletedError,
    TransactionAbortedError,
    TransactionOpenError,
    TransactionsNotSupportedError,
)
from workflows_core.ports.store import Committed
from workflows_sqlalchemy import PersistentExecutionEngine, create_store
from workflows_sqlalchemy.backend import persistently
from workflows_testing.builders import an_instance

SECRET = b"0123456789abcdef"


class Approve(BaseHumanStep):
    title = "Approve {amount}"


class Callback(WebhookStep):
    name = "callback"


class Book(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None:
        context.set("booked", True)


class Order(Workflow):
    __workflow_name__ = "order"
    __steps__ = [Approve, Callback, Book]
    __edges__ = [Edge(Approve, Callback), Edge(Callback, Book)]


class Parcel(Workflow):
    __workflow_name__ = "parcel"
    __steps__ = [Approve, WaitForSignal(name="sent", into="number"), Book]
    __edges__ = [("approve", "sent"), ("sent", "book")]


class Break(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None:
        raise ValueError("broken")


class Doomed(Workflow):
    __workflow_name__ = "doomed"
    __steps__ = [Break]


class Heard(EventBus):
    """Notes what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[str] = []

    async def publish(self, events: Any) -> None:
        found: list[RecordedEvent] = list(events)
        self.events += [type(each.event).__name__ for each in found]
        await super().publish(events)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
async def application(url: str) -> AsyncGenerator[AsyncEngine]:
    """The application's own engine, with a table of its own."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(text("DROP TABLE IF EXISTS orders"))
        await connection.execute(text("CREATE TABLE orders (name TEXT PRIMARY KEY)"))
    yield engine
    await engine.dispose()


@pytest.fixture
async def engine(url: str, heard: Heard) -> AsyncGenerator[PersistentExecutionEngine]:
    registry = WorkflowRegistry()
    registry.register(Order)
    registry.register(Parcel)
    registry.register(Doomed)
    settings = EngineSettings(secret=SECRET, poll_s=0.1)
    async with PersistentExecutionEngine(registry, url, event_bus=heard, settings=settings) as engine:
        yield engine


async def place(session: AsyncSession, name: str) -> None:
    await session.execute(text("INSERT INTO orders VALUES (:name)"), {"name": name})


async def orders(application: AsyncEngine) -> list[str]:
    async with application.connect() as connection:
        return list(await connection.scalars(text("SELECT name FROM orders ORDER BY name")))


async def settled() -> None:
    """Let what follows from a commit in the background be done."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_start_is_durable_with_the_commit_of_the_session(
    engine: PersistentExecutionEngine, application: AsyncEngine
) -> None:
    async with AsyncSession(application) as session:
        await place(session, "one")
        started = await engine.start_workflow("order", {"amount": 1}, session=session)
        with pytest.raises(InstanceNotFoundError):
            await engine.get_instance(started.id)
        await session.commit()
    waiting = await engine.wait(started.id, timeout=10)
    assert waiting.current_step == "approve"
    assert await orders(application) == ["one"]


async def test_a_start_is_gone_with_the_rollback_of_the_session(
    engine: PersistentExecutionEngine, application: AsyncEngine, heard: Heard
) -> None:
    async with AsyncSession(application) as session:
        await place(session, "one")
        started = await engine.start_workflow("order", {"amount": 1}, session=session)
        await session.rollback()
        with pytest.raises(InstanceNotFoundError):
            await engine.get_instance(started.id)
        await place(session, "two")
        await session.commit()
    await settled()
    assert await orders(application) == ["two"]
    assert heard.events == []
    with pytest.raises(InstanceNotFoundError):
        await engine.get_instance(started.id)


async def test_a_session_that_is_closed_without_a_commit_leaves_nothing(
    engine: PersistentExecutionEngine, application: AsyncEngine, heard: Heard
) -> None:
    async with AsyncSession(application) as session:
        started = await engine.start_workflow("order", {"amount": 1}, session=session)
    await settled()
    assert heard.events == []
    with pytest.raises(InstanceNotFoundError):
        await engine.get_instance(started.id)


async def test_events_go_out_after_the_commit_and_not_before(
    engine: PersistentExecutionEngine, application: AsyncEngine, heard: Heard
) -> None:
    async with AsyncSession(application) as session:
        await engine.start_workflow("order", {"amount": 1}, session=session)
        await settled()
        assert heard.events == []
        await session.commit()
    await settled()
    assert heard.events[0] == "WorkflowStarted"


async def test_what_a_savepoint_took_back_is_not_told(
    engine: PersistentExecutionEngine, application: AsyncEngine, heard: Heard
) -> None:
    async with AsyncSession(application) as session:
        await place(session, "one")
        kept = await engine.start_workflow("order", {"amount": 1}, session=session)
        savepoint = await session.begin_nested()
        lost = await engine.start_workflow("order", {"amount": 2}, session=session)
        async with session.begin_nested():
            lost_too = await engine.start_workflow("order", {"amount": 3}, session=session)
        await savepoint.rollback()
        async with session.begin_nested():
            kept_too = await engine.start_workflow("order", {"amount": 4}, session=session)
        assert heard.events == []
        await session.commit()
    await settled()
    assert heard.events.count("WorkflowStarted") == 2
    for found in (kept, kept_too):
        assert (await engine.wait(found.id, timeout=10)).current_step == "approve"
    for gone in (lost, lost_too):
        with pytest.raises(InstanceNotFoundError):
            await engine.get_instance(gone.id)


async def test_a_used_start_key_gives_the_first_instance_and_leaves_the_transaction_usable(
    engine: PersistentExecutionEngine, application: AsyncEngine
) -> None:
    first = await engine.start_workflow("order", {"amount": 1}, idempotency_key="a")
    async with AsyncSession(application) as session:
        await place(session, "one")
        again = await engine.start_workflow("order", {"amount": 1}, idempotency_key="a", session=session)
        with pytest.raises(IdempotencyConflictError):
            await engine.start_workflow("order", {"amount": 2}, idempotency_key="a", session=session)
        new = await engine.start_workflow("order", {"amount": 1}, idempotency_key="b", session=session)
        same = await engine.start_workflow("order", {"amount": 1}, idempotency_key="b", session=session)
        await session.commit()
    assert (again.id, again.is_duplicate) == (first.id, True)
    assert (same.id, same.is_duplicate) == (new.id, True)
    assert await orders(application) == ["one"]


async def test_a_whole_order_is_moved_inside_sessions(
    engine: PersistentExecutionEngine, application: AsyncEngine
) -> None:
    async with AsyncSession(application) as session:
        started = await engine.start_workflow("order", {"amount": 1}, session=session)
        await engine.complete_human_task(started.id, "approve", "bob", {"ok": True}, session=session)
        token = engine.webhook_token(started.id, "callback")
        await engine.receive_webhook(token, {"paid": 1}, session=session)
        await session.commit()
    finished = await engine.wait(started.id, timeout=10)
    assert finished.status is WorkflowStatus.COMPLETED
    assert finished.data["booked"] is True


async def test_a_completion_is_taken_back_with_the_session(
    engine: PersistentExecutionEngine, application: AsyncEngine
) -> None:
    started = await engine.start_workflow("order", {"amount": 1})
    (task,) = await engine.get_pending_tasks(instance_id=started.id)
    async with AsyncSession(application) as session:
        await place(session, "one")
        await engine.complete_task(task.opening.id, {"ok": True}, actor=Actor("bob"), session=session)
        with pytest.raises(TaskAlreadyCompletedError):
            await engine.complete_task(task.opening.id, {"ok": True}, actor=Actor("ann"), session=session)
        await session.rollback()
    assert (await engine.get_instance(started.id)).current_step == "approve"
    async with AsyncSession(application) as session:
        await engine.complete_task(task.opening.id, {"ok": True}, actor=Actor("ann"), session=session)
        await session.commit()
    assert (await engine.get_task(task.opening.id)).completed_by == "ann"


async def test_a_cancellation_is_taken_back_with_the_session(
    engine: PersistentExecutionEngine, application: AsyncEngine
) -> None:
    started = await engine.start_workflow("order", {"amount": 1})
    async with AsyncSession(application) as session:
        await engine.cancel_workflow(started.id, session=session)
        await session.rollback()
    assert (await engine.get_instance(started.id)).status is WorkflowStatus.WAITING
    async with AsyncSession(application) as session, session.begin():
        await engine.cancel_workflow(started.id, session=session)
    assert (await engine.get_instance(started.id)).status is WorkflowStatus.CANCELED


@pytest.mark.parametrize(
    ("workflow", "act"), [("order", "terminate_workflow"), ("doomed", "retry"), ("doomed", "discard")]
)
async def test_what_an_operator_does_is_taken_back_with_the_session(
    engine: PersistentExecutionEngine, application: AsyncEngine, workflow: str, act: str
) -> None:
    started = await engine.start_workflow(workflow, {"amount": 1})
    before = await engine.wait(started.id, timeout=10)
    async with AsyncSession(application) as session:
        inside = await getattr(engine, act)(started.id, session=session)
        assert inside.revision > before.revision
        await session.rollback()
    assert (await engine.get_instance(started.id)).revision == before.revision
    async with AsyncSession(application) as session, session.begin():
        await place(session, "one")
        await getattr(engine, act)(started.id, session=session)
    assert (await engine.get_instance(started.id)).revision > before.revision
    assert await orders(application) == ["one"]


async def test_a_signal_is_taken_back_with_the_session(
    engine: PersistentExecutionEngine, application: AsyncEngine
) -> None:
    started = await engine.start_workflow("parcel", {"amount": 1})
    await engine.complete_human_task(started.id, "approve", "bob", {})
    async with AsyncSession(application) as session:
        inside = await engine.signal(started.id, "sent", 1, dedup_key="k", session=session)
        again = await engine.signal(started.id, "sent", 2, dedup_key="k", session=session)
        assert (again.revision, again.data["number"]) == (inside.revision, 1)
        await session.rollback()
    assert (await engine.get_instance(started.id)).current_step == "sent"
    async with AsyncSession(application) as session, session.begin():
        await place(session, "one")
        await engine.signal(started.id, "sent", 3, dedup_key="k", session=session)
    finished = await engine.wait(started.id, timeout=10)
    assert (finished.status, finished.data["number"]) == (WorkflowStatus.COMPLETED, 3)
    assert await orders(application) == ["one"]


async def test_a_definition_that_was_kept_in_a_lost_session_is_kept_again(url: str, application: AsyncEngine) -> None:
    engine = PersistentExecutionEngine(WorkflowRegistry(), url)
    async with engine:
        async with AsyncSession(application) as session:
            await engine.start_workflow(Order, session=session)
            await session.rollback()
        started = await engine.start_workflow(Order)
    async with PersistentExecutionEngine(WorkflowRegistry(), url) as other:
        assert (await other.graph_of(await other.get_instance(started.id))).name == "order"


async def test_no_connection_is_kept(url: str, heard: Heard) -> None:
    application = create_async_engine(url, pool_size=2, max_overflow=0, pool_timeout=5)
    registry = WorkflowRegistry()
    registry.register(Order)
    async with PersistentExecutionEngine(registry, application, event_bus=heard) as engine:
        for number in range(6):
            async with AsyncSession(application) as session:
                await engine.start_workflow("order", {"amount": number}, session=session)
                await (session.commit() if number % 2 else session.rollback())
        await engine.wait((await engine.start_workflow("order", {"amount": 9})).id, timeout=10)
    assert application.pool.checkedout() == 0  # type: ignore[attr-defined]
    await application.dispose()


async def test_an_instance_that_was_read_in_a_session_is_changed_by_nobody_else_until_its_end(
    postgres_url: str,
) -> None:
    store = create_store(postgres_url).store
    application = create_async_engine(postgres_url)
    run = an_instance()
    await store.commit([run.start()])
    async with AsyncSession(application) as session:
        joined = await store.transactions.join(session)  # type: ignore[union-attr]
        assert await joined.store.load(run.id) is not None
        change = asyncio.create_task(store.commit([run.cancel()]))
        done, _ = await asyncio.wait([change], timeout=0.2)
        assert not done
        await session.commit()
    assert isinstance((await change)[0], Committed)
    await store.close()
    await application.dispose()


# What a session must be


async def test_a_session_without_tables_is_refused(engine: PersistentExecutionEngine, empty_url: str) -> None:
    other = create_async_engine(empty_url)
    async with AsyncSession(other) as session:
        with pytest.raises(SessionRefusedError):
            await engine.start_workflow("order", session=session)
    await other.dispose()


async def test_what_is_no_asynchronous_session_is_refused(
    engine: PersistentExecutionEngine, application: AsyncEngine
) -> None:
    async with application.connect() as connection:
        with pytest.raises(SessionRefusedError, match="give an AsyncSession"):
            await engine.start_workflow("order", session=connection)
    async with AsyncSession() as unbound:
        with pytest.raises(SessionRefusedError):
            await engine.start_workflow("order", session=unbound)


async def test_a_session_that_commits_each_statement_is_refused(engine: PersistentExecutionEngine, url: str) -> None:
    autocommit = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with AsyncSession(autocommit) as session:
        with pytest.raises(SessionRefusedError, match="commits by itself"):
            await engine.start_workflow("order", session=session)
    await autocommit.dispose()


async def test_another_database_of_the_same_kind_is_refused(
    sqlite_url: str, sqlite_template: bytes, tmp_path: Path
) -> None:
    (tmp_path / "other.db").write_bytes(sqlite_template)
    other = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'other.db'}")
    registry = WorkflowRegistry()
    registry.register(Order)
    async with PersistentExecutionEngine(registry, sqlite_url) as engine, AsyncSession(other) as session:
        with pytest.raises(SessionRefusedError, match=r"other\.db, the store to"):
            await engine.start_workflow("order", session=session)
    await other.dispose()


async def test_the_memory_store_says_that_it_has_no_transactions() -> None:
    async with LocalExecutionEngine() as engine:
        with pytest.raises(TransactionsNotSupportedError, match="InMemoryWorkflowStore has no transactions"):
            await engine.start_workflow(Order, session=object())


# A caller who would wait for himself


async def test_on_sqlite_a_call_inside_the_transaction_of_a_known_engine_is_refused_at_once(sqlite_url: str) -> None:
    application = create_async_engine(sqlite_url)
    registry = WorkflowRegistry()
    registry.register(Order)
    async with PersistentExecutionEngine(registry, application) as engine:
        async with application.begin() as connection:
            await connection.execute(text("CREATE TABLE orders (name TEXT PRIMARY KEY)"))
        async with AsyncSession(application) as session:
            await engine.start_workflow("order")  # nothing is written yet
            await place(session, "one")
            with pytest.raises(TransactionOpenError, match="session="):
                await engine.start_workflow("order")
            with pytest.raises(TransactionOpenError):
                await asyncio.create_task(engine.start_workflow("order"))
            await session.commit()
            await engine.start_workflow("order")
            await place(session, "two")
            await session.rollback()
            await engine.start_workflow("order")
    await application.dispose()


async def test_on_sqlite_a_call_without_the_session_after_one_with_it_is_refused_at_once(sqlite_url: str) -> None:
    application = create_async_engine(sqlite_url)
    registry = WorkflowRegistry()
    registry.register(Order)
    async with PersistentExecutionEngine(registry, sqlite_url) as engine, AsyncSession(application) as session:
        await engine.start_workflow("order", session=session)
        with pytest.raises(TransactionOpenError):
            await engine.start_workflow("order")
        await session.commit()
        await engine.start_workflow("order")
    await application.dispose()


async def test_on_sqlite_a_transaction_that_nobody_knows_of_ends_in_an_error_that_says_so(sqlite_url: str) -> None:
    path = sqlite_url.partition("///")[2]
    stranger = sqlite3.connect(path, isolation_level=None)
    stranger.execute("BEGIN IMMEDIATE")
    waiting = create_async_engine(sqlite_url, connect_args={"timeout": 0.05})

    async def write() -> None:
        async with waiting.begin() as connection:
            await connection.execute(text("DELETE FROM workflow_events"))

    with pytest.raises(StoreUnavailableError, match=r"keeps the write lock .* \(`session=…`\)"):
        await persistently(write, patience_s=0.1)
    stranger.close()
    await waiting.dispose()


async def test_on_sqlite_a_transaction_that_read_before_others_wrote_is_to_be_done_again(sqlite_url: str) -> None:
    application = create_async_engine(sqlite_url)
    registry = WorkflowRegistry()
    registry.register(Order)
    async with PersistentExecutionEngine(registry, sqlite_url) as engine, AsyncSession(application) as session:
        await session.execute(text("BEGIN"))
        await session.execute(text("SELECT count(*) FROM workflow_instances"))
        await engine.start_workflow("order")
        with pytest.raises(TransactionAbortedError, match="whole transaction again"):
            await engine.start_workflow("order", session=session)
    await application.dispose()
