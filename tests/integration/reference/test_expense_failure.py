"""What becomes of a payment whose receipt cannot be written."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from workflows_core import Actor, FactoryInjector, LocalExecutionEngine, Parking, WorkflowStatus
from workflows_reference.accounts.directory import UserDirectory
from workflows_reference.archive import Archive
from workflows_reference.records import Records
from workflows_reference.tables import metadata, payments
from workflows_reference.workflows.expense import ExpenseApproval

ALICE = Actor("alice", tenant="acme")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[AsyncEngine]:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/demo.db")
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    yield engine
    await engine.dispose()


async def test_without_a_receipt_the_payment_is_taken_back_until_an_operator_lets_it_be_made_again(
    database: AsyncEngine, tmp_path: Path
) -> None:
    records, directory = Records(database), UserDirectory(database)
    await directory.seed()
    in_the_way = tmp_path / "archive"
    in_the_way.write_text("a file where a directory should be")
    archive = Archive(in_the_way)
    injector = FactoryInjector({Records: lambda: records, UserDirectory: lambda: directory, Archive: lambda: archive})
    request = {"purpose": "Train to Ghent", "category": "travel", "amount": 84.5}
    async with LocalExecutionEngine(injector=injector) as engine:
        started = await engine.start_workflow(ExpenseApproval, request, actor=ALICE)
        await engine.wait(started.id, timeout=10)
        await engine.complete_human_task(started.id, "manager_approval", "bob", {"decision": "approve"})
        failed = await engine.wait(started.id, timeout=10, until=lambda found: found.status.is_final)
        assert (failed.status, failed.parked) == (WorkflowStatus.FAILED, Parking.DEAD_LETTER)
        assert failed.data["outcome"] == ""
        assert await records.list(payments, tenant="acme") == []

        in_the_way.unlink()
        await engine.retry(started.id, "pay", actor=Actor("admin", tenant="acme"))
        paid = await engine.wait(started.id, timeout=10)
        assert (paid.status, paid.data["outcome"]) == (WorkflowStatus.COMPLETED, "paid")
        assert len(await records.list(payments, tenant="acme")) == 1
        assert "84.50 EUR" in (tmp_path / "archive" / paid.data["receipt"]).read_text()
