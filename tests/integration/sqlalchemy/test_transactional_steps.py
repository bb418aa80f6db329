"""Transactional steps: what a step writes and the record of its result are one transaction, on each database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, AsyncTransaction, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from workflows_core import (
    BaseMachineStep,
    Edge,
    EngineSettings,
    EventBus,
    ForEach,
    LocalExecutionEngine,
    ParallelGroup,
    StepCompleted,
    WebhookStep,
    Workflow,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowInstance,
    WorkflowRegistry,
    WorkflowStatus,
    step,
)
from workflows_core.authoring.surroundings import NoSessionError
from workflows_core.domain.events import RecordedEvent
from workflows_core.errors import InstanceNotFoundError, InvalidDefinitionError
from workflows_sqlalchemy import PersistentExecutionEngine, SQLAlchemyStoreConfig, session_of

Code = Callable[[WorkflowContext], Any]


@pytest.fixture
async def application(url: str) -> AsyncGenerator[AsyncEngine]:
    """The application's own engine, with a table of its own."""
    async for engine in made_application(url):
        yield engine


@pytest.fixture
async def application_on_postgres(postgres_url: str) -> AsyncGenerator[AsyncEngine]:
    """The same, on PostgreSQL."""
    async for engine in made_application(postgres_url):
        yield engine


async def made_application(url: str) -> AsyncGenerator[AsyncEngine]:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(text("DROP TABLE IF EXISTS payments"))
        await connection.execute(text("CREATE TABLE payments (name TEXT PRIMARY KEY, amount INTEGER NOT NULL)"))
    yield engine
    await engine.dispose()


async def payments(application: AsyncEngine) -> list[str]:
    """What the application's table holds."""
    async with application.connect() as connection:
        return list(await connection.scalars(text("SELECT name FROM payments ORDER BY name")))


async def pay(session: AsyncSession, name: str, amount: int = 1) -> None:
    await session.execute(text("INSERT INTO payments VALUES (:name, :amount)"), {"name": name, "amount": amount})


def registry_of(code: Code, *, on_failure: Code | None = None) -> WorkflowRegistry:
    """A workflow with one transactional step, and a step after it."""

    class Pay(BaseMachineStep):
        transactional = True

        async def execute(self, context: WorkflowContext) -> Any:
            return await code(context)

        async def on_failure(self, context: WorkflowContext, error: Exception) -> None:
            if on_failure is not None:
                await on_failure(context)

    class After(BaseMachineStep):
        async def execute(self, context: WorkflowContext) -> None:
            context.set("after", True)

    class Paying(Workflow):
        __workflow_name__ = "paying"
        __steps__ = [Pay, After]
        __edges__ = [Edge(Pay, After)]

    registry = WorkflowRegistry()
    registry.register(Paying)
    return registry


def make_engine(
    database: str | AsyncEngine, registry: WorkflowRegistry, *, lease_s: float = 15.0, **config: Any
) -> PersistentExecutionEngine:
    settings = EngineSettings(poll_s=0.1, lease_s=lease_s, secret=b"0123456789abcdef")
    return PersistentExecutionEngine(registry, SQLAlchemyStoreConfig(database=database, **config), settings=settings)


async def run(
    database: str | AsyncEngine, code: Code, *, on_failure: Code | None = None, **options: Any
) -> WorkflowInstance:
    """Run the workflow to its end."""
    async with make_engine(database, registry_of(code, on_failure=on_failure), **options) as engine:
        started = await engine.start_workflow("paying")
        return await engine.wait(started.id, timeout=20)


# Together, or not at all


async def test_what_a_step_writes_is_committed_with_its_result(url: str, application: AsyncEngine) -> None:
    async def code(context: WorkflowContext) -> str:
        await pay(session_of(context), "rent")
        assert await payments(application) == [], "nobody sees it before the commit"
        return "paid"

    finished = await run(url, code)
    assert finished.status is WorkflowStatus.COMPLETED, finished.error
    assert finished.data == {"after": True}
    assert await payments(application) == ["rent"]


async def test_what_a_session_holds_back_is_written_too(url: str, application: AsyncEngine) -> None:
    class Base(DeclarativeBase):
        pass

    class Payment(Base):
        __tablename__ = "payments"
        name: Mapped[str] = mapped_column(primary_key=True)
        amount: Mapped[int]

    async def code(context: WorkflowContext) -> None:
        session_of(context).add(Payment(name="rent", amount=2))

    assert (await run(url, code)).status is WorkflowStatus.COMPLETED
    assert await payments(application) == ["rent"]


async def test_a_step_that_raises_leaves_nothing(url: str, application: AsyncEngine) -> None:
    async def code(context: WorkflowContext) -> None:
        await pay(session_of(context), "rent")
        await session_of(context).commit()
        await pay(session_of(context), "water")
        raise ValueError("no money")

    failed = await run(url, code)
    assert failed.status is WorkflowStatus.FAILED
    assert failed.error is not None
    assert (failed.error.type, failed.error.message) == ("ValueError", "no money")
    assert await payments(application) == []


async def test_what_the_database_refuses_fails_the_step(url: str, application: AsyncEngine) -> None:
    async def code(context: WorkflowContext) -> None:
        await pay(session_of(context), "rent")
        await pay(session_of(context), "rent")

    failed = await run(url, code)
    assert failed.error is not None
    assert failed.error.type == "IntegrityError"
    assert await payments(application) == []


async def test_what_postgresql_refuses_in_the_commit_fails_the_step(
    postgres_url: str, application_on_postgres: AsyncEngine
) -> None:
    async with application_on_postgres.begin() as connection:
        await connection.execute(text("ALTER TABLE payments DROP CONSTRAINT payments_pkey"))
        await connection.execute(text("ALTER TABLE payments ADD UNIQUE (name) DEFERRABLE INITIALLY DEFERRED"))

    async def code(context: WorkflowContext) -> None:
        await pay(session_of(context), "rent")
        await pay(session_of(context), "rent")

    await fails_in_the_commit(postgres_url, code)
    assert await payments(application_on_postgres) == []


async def test_what_sqlite_refuses_in_the_commit_fails_the_step(sqlite_url: str) -> None:
    engine = create_async_engine(sqlite_url)
    event.listen(engine.sync_engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys = ON"))
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE accounts (number INTEGER PRIMARY KEY)"))
        reference = "REFERENCES accounts (number) DEFERRABLE INITIALLY DEFERRED"
        await connection.execute(text(f"CREATE TABLE payments (name TEXT PRIMARY KEY, amount INTEGER {reference})"))

    async def code(context: WorkflowContext) -> None:
        await pay(session_of(context), "rent")

    await fails_in_the_commit(engine, code)
    assert await payments(engine) == []
    await engine.dispose()


async def fails_in_the_commit(database: str | AsyncEngine, code: Code) -> None:
    """A step fails because of its commit, and the next one is none the worse for it."""
    async with make_engine(database, registry_of(code)) as engine:
        for _ in range(2):
            failed = await engine.wait((await engine.start_workflow("paying")).id, timeout=10)
            assert failed.error is not None
            assert failed.error.type == "IntegrityError"


async def test_a_result_that_cannot_be_taken_undoes_what_was_written(url: str, application: AsyncEngine) -> None:
    async def code(context: WorkflowContext) -> None:
        await pay(session_of(context), "rent")
        context.add("no_reducer", 1)

    failed = await run(url, code)
    assert failed.error is not None
    assert failed.error.type == "ReducerError"
    assert await payments(application) == []


async def test_on_failure_runs_after_the_rollback_and_has_no_session(url: str, application: AsyncEngine) -> None:
    seen: list[Any] = []

    async def code(context: WorkflowContext) -> None:
        await pay(session_of(context), "rent")
        raise ValueError("no money")

    async def on_failure(context: WorkflowContext) -> None:
        async with AsyncSession(application) as session, session.begin():
            await pay(session, "reminder")
        with pytest.raises(NoSessionError):
            session_of(context)
        seen.append(context.current_step)

    await run(url, code, on_failure=on_failure)
    assert seen == ["pay"]
    assert await payments(application) == ["reminder"]


# Whose session it is


async def test_a_commit_of_the_session_ends_nothing_and_a_rollback_undoes_what_came_after_it(
    url: str, application: AsyncEngine
) -> None:
    async def code(context: WorkflowContext) -> None:
        session = session_of(context)
        await pay(session, "rent")
        await session.commit()
        assert await payments(application) == []
        await pay(session, "water")
        await session.rollback()
        await pay(session, "power")
        async with session.begin_nested() as savepoint:
            await pay(session, "wine")
            await savepoint.rollback()
        await session.commit()
        await session.close()
        await pay(session, "phone")

    assert (await run(url, code)).status is WorkflowStatus.COMPLETED
    assert await payments(application) == ["phone", "power", "rent"]


async def test_a_step_that_ends_the_transaction_under_its_session_fails(url: str, application: AsyncEngine) -> None:
    async def code(context: WorkflowContext) -> None:
        connection = await session_of(context).connection()
        await connection.rollback()

    failed = await run(url, code)
    assert failed.error is not None
    assert "commit and roll back the session, never its connection" in failed.error.message


async def test_a_call_with_the_session_of_a_step_is_part_of_its_transaction(url: str, application: AsyncEngine) -> None:
    started: list[Any] = []
    engine: PersistentExecutionEngine

    async def code(context: WorkflowContext) -> None:
        if context.get("parent", True):
            child = await engine.start_workflow("paying", {"parent": False}, session=context.session)
            started.append(child.id)
            if len(started) == 1:
                raise ValueError("lost")

    async with make_engine(url, registry_of(code)) as engine:
        first = await engine.wait((await engine.start_workflow("paying")).id, timeout=10)
        second = await engine.wait((await engine.start_workflow("paying")).id, timeout=10)
        assert (first.status, second.status) == (WorkflowStatus.FAILED, WorkflowStatus.COMPLETED)
        with pytest.raises(InstanceNotFoundError):
            await engine.get_instance(started[0])
        assert (await engine.wait(started[1], timeout=10)).status is WorkflowStatus.COMPLETED


async def test_on_sqlite_a_call_without_the_session_of_the_step_is_refused_at_once(sqlite_url: str) -> None:
    engine: PersistentExecutionEngine

    async def code(context: WorkflowContext) -> None:
        await engine.start_workflow("paying")

    async with make_engine(sqlite_url, registry_of(code)) as engine:
        failed = await engine.wait((await engine.start_workflow("paying")).id, timeout=10)
    assert failed.error is not None
    assert failed.error.type == "TransactionOpenError"


async def test_on_sqlite_a_step_that_takes_too_long_fails_and_leaves_nothing(sqlite_url: str) -> None:
    application = create_async_engine(sqlite_url)
    async with application.begin() as connection:
        await connection.execute(text("CREATE TABLE payments (name TEXT PRIMARY KEY, amount INTEGER NOT NULL)"))

    async def code(context: WorkflowContext) -> None:
        await pay(session_of(context), "rent")
        await asyncio.sleep(10)

    failed = await run(sqlite_url, code, longest_transaction_s=0.2)
    assert failed.error is not None
    assert failed.error.type == "TransactionTimeoutError"
    assert "more than 0.2 seconds" in failed.error.message
    assert await payments(application) == []
    await application.dispose()


async def test_in_memory_the_step_fails_and_says_why() -> None:
    async def code(context: WorkflowContext) -> None:
        context.session.nothing()

    async with LocalExecutionEngine(registry_of(code)) as engine:
        failed = await engine.wait((await engine.start_workflow("paying")).id, timeout=10)
    assert failed.error is not None
    assert failed.error.type == "TransactionsNotSupportedError"


async def test_no_connection_is_kept(url: str) -> None:
    database = create_async_engine(url)

    async def code(context: WorkflowContext) -> None:
        if context.get("fails"):
            raise ValueError("no")

    async with make_engine(database, registry_of(code)) as engine:
        for number in range(6):
            started = await engine.start_workflow("paying", {"fails": number % 2})
            await engine.wait(started.id, timeout=10)
    assert database.pool.checkedout() == 0  # type: ignore[attr-defined]
    await database.dispose()


async def test_no_transaction_is_open_while_other_code_runs(
    postgres_url: str, application_on_postgres: AsyncEngine
) -> None:
    waiting = text(  # the store's own connections have a name
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE state LIKE 'idle in transaction%' AND datname = current_database() AND application_name = ''"
    )
    seen: list[int] = []

    async def count() -> None:
        async with application_on_postgres.connect() as connection:
            name = application_on_postgres.url.database
            seen.append((await connection.execute(waiting, {"name": name})).scalar_one())

    async def code(context: WorkflowContext) -> None:
        await session_of(context).execute(text("SELECT 1"))
        await count()

    class After(BaseMachineStep):
        async def execute(self, context: WorkflowContext) -> None:
            await count()

    registry = WorkflowRegistry()
    steps = {"pay": step(transactional=True)(code), "after": After()}
    registry.register(WorkflowDefinition("counting", steps=steps, edges=[("pay", "after")]))
    async with make_engine(postgres_url, registry) as engine:
        await engine.wait((await engine.start_workflow("counting")).id, timeout=10)
    assert seen == [1, 0]


# Others at the same time


async def test_a_step_whose_fence_was_lost_leaves_nothing_and_runs_again(url: str, application: AsyncEngine) -> None:
    runs: list[int] = []
    steal = text("UPDATE workflow_work_items SET fence = fence + 1, worker = 'thief', lease_until = NULL")

    async def code(context: WorkflowContext) -> None:
        runs.append(context.attempt)
        await pay(session_of(context), "rent")
        if len(runs) == 1 and application.dialect.name == "sqlite":
            await session_of(context).execute(steal)  # nobody else can write now
        elif len(runs) == 1:
            async with application.begin() as connection:
                await connection.execute(text("UPDATE workflow_work_items SET fence = fence + 1, due_at = now()"))

    async with make_engine(url, registry_of(code), lease_s=0.6) as engine:
        started = await engine.start_workflow("paying")
        finished = await engine.wait(started.id, timeout=20)
        history = await engine.queries.list_executions(started.id)
    assert finished.status is WorkflowStatus.COMPLETED
    assert len(runs) == 2
    assert await payments(application) == ["rent"]
    assert [record.execution.step_name for record in history] == ["pay", "after"]


async def test_a_step_whose_instance_was_cancelled_meanwhile_leaves_nothing(
    postgres_url: str, application_on_postgres: AsyncEngine
) -> None:
    engine: PersistentExecutionEngine

    async def code(context: WorkflowContext) -> None:
        await pay(session_of(context), "rent")
        await engine.cancel_workflow(context.instance_id)

    async with make_engine(postgres_url, registry_of(code)) as engine:
        started = await engine.start_workflow("paying")
        canceled = await engine.wait(started.id, timeout=20)
    assert canceled.status is WorkflowStatus.CANCELED
    assert await payments(application_on_postgres) == []


async def test_steps_of_one_instance_at_the_same_time_are_each_run_and_recorded_once(
    url: str, application: AsyncEngine
) -> None:
    runs: list[str] = []

    class Pay(BaseMachineStep):
        transactional = True

        async def execute(self, context: WorkflowContext) -> str:
            runs.append(context.current_step)
            await pay(session_of(context), context.current_step)
            await asyncio.sleep(0.05)
            return context.current_step

    names = [f"pay_{number}" for number in range(5)]
    registry = WorkflowRegistry()
    group = ParallelGroup(*(Pay(name=name) for name in names), name="all", into="paid")
    registry.register(WorkflowDefinition("parallel", steps={"all": group}))
    async with make_engine(url, registry) as engine:
        started = await engine.start_workflow("parallel")
        finished = await engine.wait(started.id, timeout=20)
    assert finished.status is WorkflowStatus.COMPLETED
    assert finished.data["paid"] == names
    assert sorted(runs) == names
    assert await payments(application) == names


async def test_items_run_in_transactions_of_their_own(url: str, application: AsyncEngine) -> None:
    class Pay(BaseMachineStep):
        transactional = True

        async def execute(self, context: WorkflowContext) -> str:
            name: str = context.get("item")
            await pay(session_of(context), name)
            return name.upper()

    registry = WorkflowRegistry()
    registry.register(WorkflowDefinition("each", steps={"each": ForEach("names", Pay(name="pay"), into="paid")}))
    async with make_engine(url, registry) as engine:
        started = await engine.start_workflow("each", {"names": ["a", "b", "c", "d"]})
        finished = await engine.wait(started.id, timeout=20)
    assert finished.data["paid"] == ["A", "B", "C", "D"]
    assert await payments(application) == ["a", "b", "c", "d"]


async def test_a_step_that_loses_a_deadlock_runs_again(postgres_url: str, application_on_postgres: AsyncEngine) -> None:
    runs: list[int] = []
    go_on, locked = asyncio.Event(), asyncio.Event()
    take = text("UPDATE payments SET amount = amount + 1 WHERE name = 'shared'")

    async def code(context: WorkflowContext) -> None:
        runs.append(1)
        session = session_of(context)
        await session.execute(text("SET LOCAL deadlock_timeout = '50ms'"))  # so that it is this side that gives way
        await session.execute(take)
        locked.set()
        await go_on.wait()

    registry = WorkflowRegistry()
    steps = {"pay": step(transactional=True)(code), "callback": WebhookStep()}
    registry.register(WorkflowDefinition("paying", steps=steps, edges=[("pay", "callback")]))
    async with AsyncSession(application_on_postgres) as session, session.begin():
        await pay(session, "shared", 0)
    async with make_engine(postgres_url, registry) as engine:
        started = await engine.start_workflow("paying")
        await locked.wait()
        async with AsyncSession(application_on_postgres) as session:
            token = engine.webhook_token(started.id, "callback")
            await engine.receive_webhook(token, {}, session=session)  # has the instance, wants the row
            taking = asyncio.create_task(session.execute(take))
            await asyncio.sleep(0.05)
            go_on.set()  # has the row, wants the instance
            await taking
            await session.commit()
        finished = await engine.wait(started.id, timeout=20)
    assert finished.status is WorkflowStatus.COMPLETED
    assert len(runs) == 2
    async with application_on_postgres.connect() as connection:
        assert (await connection.execute(text("SELECT amount FROM payments"))).scalar_one() == 2


async def test_a_step_whose_connection_is_lost_runs_again(
    postgres_url: str, application_on_postgres: AsyncEngine
) -> None:
    runs: list[int] = []

    async def code(context: WorkflowContext) -> None:
        session = session_of(context)
        await pay(session, "rent")
        runs.append((await session.execute(text("SELECT pg_backend_pid()"))).scalar_one())
        if len(runs) == 1:
            async with application_on_postgres.connect() as connection:
                await connection.execute(text(f"SELECT pg_terminate_backend({runs[0]})"))
            await session.execute(text("SELECT 1"))

    finished = await run(postgres_url, code)
    assert finished.status is WorkflowStatus.COMPLETED, finished.error
    assert len(runs) == 2
    assert await payments(application_on_postgres) == ["rent"]


async def test_a_step_in_whose_way_others_are_each_time_fails(postgres_url: str) -> None:
    runs: list[int] = []

    async def code(context: WorkflowContext) -> None:
        runs.append(context.attempt)
        await session_of(context).execute(text("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$"))

    failed = await run(postgres_url, code)
    assert failed.error is not None
    assert failed.error.type == "DBAPIError"
    assert runs == [1] * 10


# The answer to the commit is lost


@pytest.mark.parametrize("is_committed", [True, False])
async def test_the_store_is_asked_when_the_answer_to_the_commit_is_lost(
    url: str, application: AsyncEngine, is_committed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[int] = []
    commit = AsyncTransaction.commit
    losses = iter([True])

    async def commit_and_lose(transaction: AsyncTransaction) -> None:
        if transaction.connection.engine.url.database == application.url.database and runs and next(losses, False):
            await (commit(transaction) if is_committed else transaction.rollback())
            raise OSError("connection lost")
        await commit(transaction)

    async def code(context: WorkflowContext) -> None:
        runs.append(1)
        await pay(session_of(context), "rent")

    class Heard(EventBus):
        async def publish(self, events: Sequence[RecordedEvent]) -> None:
            heard.extend(each.event.step_name for each in events if isinstance(each.event, StepCompleted))
            await super().publish(events)

    heard: list[str] = []
    monkeypatch.setattr(AsyncTransaction, "commit", commit_and_lose)
    settings = EngineSettings(poll_s=0.1)
    async with PersistentExecutionEngine(registry_of(code), url, settings=settings, event_bus=Heard()) as engine:
        finished = await engine.wait((await engine.start_workflow("paying")).id, timeout=20)
    assert finished.status is WorkflowStatus.COMPLETED, finished.error
    assert len(runs) == (1 if is_committed else 2)
    assert heard == ["pay", "after"]
    assert await payments(application) == ["rent"]


# Definitions


def test_a_transactional_step_must_be_asynchronous() -> None:
    class Pay(BaseMachineStep):
        transactional = True

        def execute(self, context: WorkflowContext) -> None:
            """Nothing."""

    with pytest.raises(InvalidDefinitionError, match="a thread cannot use its session"):
        WorkflowDefinition("paying", steps={"pay": Pay()}).graph  # noqa: B018
