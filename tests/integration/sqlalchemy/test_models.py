"""What applications read with their own sessions: models, relationships and repositories."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import selectinload

from workflows_core.domain.graph import HumanNode
from workflows_core.domain.types import StepStatus, WorkflowStatus
from workflows_core.ports.store import WorkflowStore
from workflows_sqlalchemy import (
    HumanTaskModel,
    HumanTaskRepository,
    StepExecutionModel,
    StepExecutionRepository,
    WorkflowDefinitionRepository,
    WorkflowInstanceModel,
    WorkflowInstanceRepository,
)
from workflows_sqlalchemy.tables import metadata
from workflows_testing.builders import Run, a_graph, a_task_graph, an_instance


@pytest.fixture
async def session(url: str) -> AsyncGenerator[AsyncSession]:
    engine = create_async_engine(url)
    async with AsyncSession(engine) as session:
        yield session
    await engine.dispose()


async def started(store: WorkflowStore, run: Run) -> Run:
    await store.publish([run.graph])
    await store.commit([run.start()])
    return run


async def test_an_instance_shows_its_data_its_history_and_its_definition(
    store: WorkflowStore, session: AsyncSession
) -> None:
    run = await started(store, an_instance(a_graph("one", "two"), data={"amount": 7}, metadata={"source": "web"}))
    await store.commit([run.complete("one", result={"ok": True}, changes={"paid": True})])
    await store.commit([run.fail("two", "out of stock")])
    query = select(WorkflowInstanceModel).options(
        selectinload(WorkflowInstanceModel.step_executions), selectinload(WorkflowInstanceModel.definition)
    )
    instance = (await session.scalars(query)).one()
    assert (instance.id, instance.status, instance.revision) == (run.id, WorkflowStatus.FAILED, 3)
    assert instance.context_data == {"amount": 7, "paid": True}
    assert instance.start_metadata == {"source": "web"}
    assert instance.error is not None
    assert instance.error.message == "out of stock"
    assert [(execution.step_name, execution.status) for execution in instance.step_executions] == [
        ("one", StepStatus.SUCCEEDED),
        ("two", StepStatus.FAILED),
    ]
    assert instance.step_executions[0].output_data == {"ok": True}
    assert instance.step_executions[1].error == instance.error
    assert instance.definition is not None
    assert instance.definition.hash == run.graph.hash
    assert list(instance.definition.definition_json["nodes"]) == ["one", "two"]


async def test_a_task_shows_its_form_and_leads_to_its_instance(store: WorkflowStore, session: AsyncSession) -> None:
    form = {"type": "object", "required": ["approved"]}
    kind = HumanNode(title="Look", description="Closely", form_schema=form, candidate_groups=("staff",))
    run = await started(store, an_instance(a_task_graph(kind)))
    task = (await session.scalars(select(HumanTaskModel))).one()
    assert (task.title, task.description, task.form_schema, task.candidates) == (
        "Look",
        "Closely",
        form,
        ["group:staff"],
    )
    assert (await task.awaitable_attrs.instance).id == run.id


async def test_reports_may_join_and_count(store: WorkflowStore, session: AsyncSession) -> None:
    for _ in range(3):
        run = await started(store, an_instance(a_graph("one", "two")))
        await store.commit([run.complete("one")])
    query = (
        select(WorkflowInstanceModel.workflow_name, func.count(), func.max(StepExecutionModel.completed_at))
        .join(WorkflowInstanceModel.step_executions)
        .group_by(WorkflowInstanceModel.workflow_name)
    )
    ((name, count, last),) = (await session.execute(query)).all()
    assert (name, count) == ("order", 3)
    assert last.utcoffset() is not None


async def test_instances_are_found_by_workflow_and_by_user(store: WorkflowStore, session: AsyncSession) -> None:
    first = await started(store, an_instance(a_graph(name="order")))
    second = await started(store, an_instance(a_graph(name="order")))
    other = await started(store, an_instance(a_graph(name="refund")))
    await store.commit([first.cancel()])
    instances = WorkflowInstanceRepository(session)
    assert {found.id for found in await instances.find_by_workflow("order")} == {first.id, second.id}
    running = await instances.find_by_workflow("order", WorkflowStatus.RUNNING)
    assert [found.id for found in running] == [second.id]
    assert len(await instances.find_by_workflow("order", limit=1, offset=1)) == 1
    assert len(await instances.find_by_user("ann")) == 3
    assert await instances.find_by_user("bob") == []
    assert {found.id for found in await instances.get_many([first.id, other.id])} == {first.id, other.id}


async def test_pending_tasks_are_found_with_their_instances(store: WorkflowStore, session: AsyncSession) -> None:
    mine = await started(store, an_instance(a_task_graph(HumanNode(title="A", assignee="bob"))))
    group = await started(store, an_instance(a_task_graph(HumanNode(title="B", candidate_groups=("staff",)))))
    done = await started(store, an_instance(a_task_graph(HumanNode(title="C", assignee="bob"))))
    await store.commit([done.complete_task("review")])
    instances, tasks = WorkflowInstanceRepository(session), HumanTaskRepository(session)
    found = await instances.find_pending_human_tasks("bob")
    assert [(instance.id, step) for instance, step in found] == [(mine.id, "review")]
    found = await instances.find_pending_human_tasks("bob", "approval", groups=["staff"])
    assert {instance.id for instance, _ in found} == {mine.id, group.id}
    assert len(await instances.find_pending_human_tasks()) == 2
    assert await instances.find_pending_human_tasks(workflow_name="order") == []
    assert [task.instance_id for task in await tasks.find_pending("bob")] == [mine.id]
    assert len(await tasks.find_pending()) == 2
    assert [task.status for task in await tasks.find_by_instance(done.id)] == ["completed"]


async def test_a_repository_of_a_tenant_finds_nothing_of_another(store: WorkflowStore, session: AsyncSession) -> None:
    acme = await started(store, an_instance(a_task_graph(), tenant="acme"))
    other = await started(store, an_instance(a_task_graph(), tenant="umbrella"))
    instances = WorkflowInstanceRepository(session, tenant="acme")
    tasks = HumanTaskRepository(session, tenant="acme")
    assert await instances.get(other.id) is None
    assert [found.id for found in await instances.get_many([acme.id, other.id])] == [acme.id]
    assert [found.id for found in await instances.find_by_workflow("approval")] == [acme.id]
    assert [instance.id for instance, _ in await instances.find_pending_human_tasks()] == [acme.id]
    assert await tasks.get(other.task("review")) is None
    assert [task.instance_id for task in await tasks.find_pending()] == [acme.id]
    assert await tasks.find_by_instance(other.id) == []
    assert not await instances.delete(other.id)


async def test_executions_and_definitions_are_found(store: WorkflowStore, session: AsyncSession) -> None:
    run = await started(store, an_instance(a_graph("one", "two")))
    await store.commit([run.complete("one")])
    await store.commit([run.fail("two")])
    executions, definitions = StepExecutionRepository(session), WorkflowDefinitionRepository(session)
    one, two = await executions.find_by_instance(run.id)
    assert (one.step_name, two.step_name) == ("one", "two")
    assert await executions.find_by_instance(run.id, StepStatus.FAILED) == [two]
    assert await executions.get(run.id, two.number) is two
    definition = await definitions.get(run.graph.hash)
    assert definition is not None
    assert await definitions.get_by_name("order", "1.0.0") is definition
    assert await definitions.find_by_name("order") == [definition]
    assert await definitions.get_by_name("order", "2.0.0") is None
    assert [instance.id for instance in await definition.awaitable_attrs.instances] == [run.id]


async def test_only_an_instance_that_is_over_can_be_deleted_with_all_that_is_of_it(
    store: WorkflowStore, session: AsyncSession
) -> None:
    over, running = await started(store, an_instance(a_task_graph())), await started(store, an_instance(a_task_graph()))
    await store.commit([over.cancel()])
    instances = WorkflowInstanceRepository(session)
    assert not await instances.delete(running.id)
    assert await instances.delete(over.id)
    assert not await instances.delete(over.id)
    await session.commit()
    assert await store.load(over.id) is None
    assert await store.load(running.id) is not None
    for table in metadata.tables.values():
        if "instance_id" in table.c:
            query = select(func.count()).select_from(table).where(table.c.instance_id == over.id)
            assert (await session.execute(query)).scalar_one() == 0
