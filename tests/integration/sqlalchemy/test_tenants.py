"""A tenant with many workflows does not hold up that of another one, from the start to the end."""

from __future__ import annotations

import asyncio

from sqlalchemy import select

from workflows_core import (
    Actor,
    BaseMachineStep,
    EngineSettings,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowRegistry,
)
from workflows_core.ports.store import ClaimRequest
from workflows_sqlalchemy import PersistentExecutionEngine, SQLAlchemyWorkflowStore
from workflows_sqlalchemy.tables import work_items
from workflows_testing.builders import an_instance, with_work

FLOOD, CONCURRENCY = 2_000, 4


class Write(BaseMachineStep):
    """Notes whose it was, once all are started."""

    def __init__(self, written: list[str | None]) -> None:
        super().__init__(name="write")
        self.may_begin = asyncio.Event()
        self.written = written

    async def execute(self, context: WorkflowContext) -> None:
        await self.may_begin.wait()
        self.written.append(context.tenant_id)


async def test_a_tenant_with_thousands_of_workflows_does_not_hold_up_the_only_one_of_another(url: str) -> None:
    written: list[str | None] = []
    step = Write(written)
    registry = WorkflowRegistry()
    registry.register(WorkflowDefinition(name="report", steps={"write": step}, edges=[], initial_step="write"))
    settings = EngineSettings(lease_s=600)
    async with PersistentExecutionEngine(registry, url, settings=settings, concurrency=CONCURRENCY) as engine:
        ann, zoe = Actor("ann", tenant="acme"), Actor("zoe", tenant="zoo")
        for _ in range(0, FLOOD, 100):
            await asyncio.gather(*(engine.start_workflow("report", actor=ann) for _ in range(100)))
        await engine.start_workflow("report", actor=zoe)
        step.may_begin.set()
        while "zoo" not in written:
            await asyncio.sleep(0.005)
    # Those that were begun before it was started, and those that were claimed with it or one claim before.
    assert written.index("zoo") <= 3 * CONCURRENCY


async def test_only_what_is_due_at_once_is_among_the_turns(store: SQLAlchemyWorkflowStore) -> None:
    """Whoever looks for turns would visit a tenant for each timer."""

    async def turns() -> list[str | None]:
        query = select(work_items.c.turn_of).order_by(work_items.c.instance_id)
        return list(await store.backend.read(lambda connection: connection.scalars(query).all()))

    runs = [an_instance(tenant=tenant) for tenant in ("", "acme", "zoo", "late")]
    writes = [run.start() for run in runs[:3]]
    await store.commit([*writes, with_work(runs[3].start(), delay_s=3600.0)])
    assert await turns() == ["", "acme", "zoo", None]
    claims = await store.claim(ClaimRequest(worker="one", limit=3, lease_s=30))
    at_once, later = (
        [claimed.lease for claimed in claims if claimed.state.tenant == tenant] for tenant in ("acme", "zoo")
    )
    await store.release("one", at_once)
    await store.release("one", later, delay_s=3600.0)
    assert await turns() == ["", "acme", None, None]
