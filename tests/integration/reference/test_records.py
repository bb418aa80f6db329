"""What steps record, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from workflows_core import WorkflowContext
from workflows_reference.accounts.directory import UserDirectory
from workflows_reference.accounts.people import DEMO_USERS
from workflows_reference.records import Records
from workflows_reference.tables import metadata, payments

PAYMENT = {"payee": "alice", "amount_cents": 8450, "purpose": "Train to Ghent"}


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[AsyncEngine]:
    url = f"sqlite+aiosqlite:///{tmp_path}/demo.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_database").url_for("asyncpg")
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.drop_all)
        await connection.run_sync(metadata.create_all)
    yield engine
    await engine.dispose()


def context(execution: int = 1, *, tenant: str = "acme", attempt: int = 1) -> WorkflowContext:
    return WorkflowContext.for_testing(
        instance_id=UUID(int=1), execution=execution, tenant_id=tenant, attempt=attempt, current_step="pay"
    )


async def test_a_step_that_runs_again_finds_its_own_record(database: AsyncEngine) -> None:
    records = Records(database)
    assert await records.write(payments, context(), PAYMENT)
    assert not await records.write(payments, context(attempt=2), PAYMENT)
    assert len(await records.list(payments, tenant="acme")) == 1
    assert await records.write(payments, context(2), PAYMENT), "another execution is another payment"


async def test_of_two_that_run_at_the_same_time_one_records(database: AsyncEngine) -> None:
    records = Records(database)
    written = await asyncio.gather(*(records.write(payments, context(), PAYMENT) for _ in range(8)))
    assert sorted(written) == [False] * 7 + [True]


async def test_what_was_recorded_can_be_taken_back_once(database: AsyncEngine) -> None:
    records = Records(database)
    await records.write(payments, context(1), PAYMENT)
    await records.write(payments, context(2), PAYMENT)
    assert await records.take_back(payments, context(1).idempotency_key)
    assert not await records.take_back(payments, context(1).idempotency_key)
    assert len(await records.list(payments, tenant="acme")) == 1


async def test_records_belong_to_their_tenant(database: AsyncEngine) -> None:
    records = Records(database)
    await records.write(payments, context(1), PAYMENT)
    await records.write(payments, context(2, tenant="globex"), {**PAYMENT, "amount_cents": 1})
    assert [row["amount_cents"] for row in await records.list(payments, tenant="acme")] == [8450]
    assert await records.paid_cents(tenant="acme") == 8450
    assert await records.was_paid("alice", 8450, "Train to Ghent", tenant="acme")
    assert not await records.was_paid("alice", 8450, "Train to Ghent", tenant="globex")
    created: Any = (await records.list(payments, tenant="acme", instance_id=str(UUID(int=1))))[0]["created_at"]
    assert created.tzinfo is not None


async def test_people_are_there_once_and_log_in_with_their_password(database: AsyncEngine) -> None:
    directory = UserDirectory(database)
    assert await directory.seed() == len(DEMO_USERS)
    assert await directory.seed() == 0
    assert await directory.find("alice") == DEMO_USERS[0]
    assert await directory.authenticate("alice", "demo") == DEMO_USERS[0]
    assert await directory.authenticate("alice", "wrong") is None
    assert await directory.authenticate("mallory", "demo") is None
    assert await directory.manager_of("alice") == "bob"
