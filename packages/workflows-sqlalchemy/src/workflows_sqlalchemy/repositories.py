"""Repositories over the models, on a session of the application. They read; what changes instances is the engine.

Each is bounded by a tenant if it is given one: then it finds nothing of any other tenant.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import Select, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from workflows_core.domain.types import StepStatus, WorkflowStatus
from workflows_sqlalchemy.filters import is_open_task, may_be_done
from workflows_sqlalchemy.models import (
    HumanTaskModel,
    StepExecutionModel,
    WorkflowDefinitionModel,
    WorkflowInstanceModel,
)
from workflows_sqlalchemy.tables import events, executions, instances, scopes, tasks, work_items

__all__ = [
    "HumanTaskRepository",
    "StepExecutionRepository",
    "WorkflowDefinitionRepository",
    "WorkflowInstanceRepository",
]

ModelT = TypeVar("ModelT", WorkflowInstanceModel, HumanTaskModel)


class _TenantRepository(Generic[ModelT]):
    """What is found by an identity and belongs to a tenant."""

    model: type[ModelT]

    def __init__(self, session: AsyncSession, *, tenant: str | None = None) -> None:
        """Make a repository.

        Args:
            session: Whose transaction it reads in; it commits nothing.
            tenant: Only what belongs to this tenant; None sees all.
        """
        self._session = session
        self._tenant = tenant

    async def get(self, id: UUID) -> ModelT | None:
        """The one with this identity."""
        found = await self._all(self._select().where(self.model.id == id))
        return found[0] if found else None

    async def get_many(self, ids: Collection[UUID]) -> list[ModelT]:
        """Those with these identities, in any order; unknown ones are left out."""
        return await self._all(self._select().where(self.model.id.in_(ids)))

    def _select(self) -> Select[ModelT]:
        query = select(self.model)
        return query if self._tenant is None else query.where(self.model.tenant_id == self._tenant)

    async def _all(self, query: Select[ModelT]) -> list[ModelT]:
        return list((await self._session.scalars(query)).all())


class WorkflowInstanceRepository(_TenantRepository[WorkflowInstanceModel]):
    """Instances."""

    model = WorkflowInstanceModel

    async def find_by_workflow(
        self, workflow_name: str, status: WorkflowStatus | None = None, limit: int = 100, offset: int = 0
    ) -> list[WorkflowInstanceModel]:
        """Instances of a workflow, newest first."""
        query = self._select().where(WorkflowInstanceModel.workflow_name == workflow_name)
        return await self._newest(query, status, limit, offset)

    async def find_by_user(
        self, user_id: str, status: WorkflowStatus | None = None, limit: int = 100, offset: int = 0
    ) -> list[WorkflowInstanceModel]:
        """Instances that a user has started, newest first."""
        query = self._select().where(WorkflowInstanceModel.created_by == user_id)
        return await self._newest(query, status, limit, offset)

    async def find_pending_human_tasks(
        self, user_id: str | None = None, workflow_name: str | None = None, *, groups: Collection[str] = ()
    ) -> list[tuple[WorkflowInstanceModel, str]]:
        """Instances with the names of the human steps that they wait at, oldest task first.

        Args:
            user_id: Only steps that this user may do.
            workflow_name: Only instances of this workflow.
            groups: Groups of that user.
        """
        query = (
            select(WorkflowInstanceModel, HumanTaskModel.step_name)
            .join(HumanTaskModel, HumanTaskModel.instance_id == WorkflowInstanceModel.id)
            .where(is_open_task())
            .order_by(HumanTaskModel.created_at, HumanTaskModel.id)
        )
        if self._tenant is not None:
            query = query.where(WorkflowInstanceModel.tenant_id == self._tenant)
        if user_id is not None:
            query = query.where(may_be_done(user_id, groups))
        if workflow_name is not None:
            query = query.where(WorkflowInstanceModel.workflow_name == workflow_name)
        return [(instance, step_name) for instance, step_name in await self._session.execute(query)]

    async def delete(self, id: UUID) -> bool:
        """Delete an instance that is over, with its history and its tasks; False if there is none, or it is not over."""
        instance = await self.get(id)
        if instance is None or not WorkflowStatus(instance.status).is_final:
            return False
        for table in (events, executions, scopes, tasks, work_items):
            await self._session.execute(delete(table).where(table.c.instance_id == id))
        await self._session.execute(delete(instances).where(instances.c.id == id))
        self._session.expunge(instance)
        return True

    async def _newest(
        self, query: Select[WorkflowInstanceModel], status: WorkflowStatus | None, limit: int, offset: int
    ) -> list[WorkflowInstanceModel]:
        if status is not None:
            query = query.where(WorkflowInstanceModel.status == status.value)
        order = WorkflowInstanceModel.started_at.desc(), WorkflowInstanceModel.id.desc()
        return await self._all(query.order_by(*order).limit(limit).offset(offset))


class HumanTaskRepository(_TenantRepository[HumanTaskModel]):
    """Human tasks."""

    model = HumanTaskModel

    async def find_pending(
        self, user_id: str | None = None, *, groups: Collection[str] = (), limit: int = 100, offset: int = 0
    ) -> list[HumanTaskModel]:
        """Open tasks, oldest first; with a user only those that this user, being in these groups, may do."""
        query = self._select().where(is_open_task())
        if user_id is not None:
            query = query.where(may_be_done(user_id, groups))
        order = HumanTaskModel.created_at, HumanTaskModel.id
        return await self._all(query.order_by(*order).limit(limit).offset(offset))

    async def find_by_instance(self, instance_id: UUID) -> list[HumanTaskModel]:
        """The tasks of an instance, oldest first."""
        query = self._select().where(HumanTaskModel.instance_id == instance_id)
        return await self._all(query.order_by(HumanTaskModel.created_at, HumanTaskModel.id))


class StepExecutionRepository:
    """Finished step executions. They belong to their instance's tenant: ask for that one first."""

    def __init__(self, session: AsyncSession) -> None:
        """Make a repository that reads in the transaction of a session."""
        self._session = session

    async def get(self, instance_id: UUID, number: int) -> StepExecutionModel | None:
        """One execution."""
        return await self._session.get(StepExecutionModel, {"instance_id": instance_id, "number": number})

    async def find_by_instance(
        self, instance_id: UUID, status: StepStatus | None = None
    ) -> Sequence[StepExecutionModel]:
        """The executions of an instance, in the order of their entry."""
        query = select(StepExecutionModel).where(StepExecutionModel.instance_id == instance_id)
        if status is not None:
            query = query.where(StepExecutionModel.status == status.value)
        return (await self._session.scalars(query.order_by(StepExecutionModel.number))).all()


class WorkflowDefinitionRepository:
    """Stored definitions, which all tenants share."""

    def __init__(self, session: AsyncSession) -> None:
        """Make a repository that reads in the transaction of a session."""
        self._session = session

    async def get(self, graph_hash: str) -> WorkflowDefinitionModel | None:
        """The definition whose graph has this hash."""
        return await self._one(select(WorkflowDefinitionModel).where(WorkflowDefinitionModel.hash == graph_hash))

    async def get_by_name(self, name: str, version: str) -> WorkflowDefinitionModel | None:
        """The newest content of a version."""
        query = select(WorkflowDefinitionModel).where(
            WorkflowDefinitionModel.name == name, WorkflowDefinitionModel.version == version
        )
        return await self._one(query.order_by(WorkflowDefinitionModel.id.desc()).limit(1))

    async def find_by_name(self, name: str) -> Sequence[WorkflowDefinitionModel]:
        """All contents of all versions of a workflow, oldest first."""
        query = select(WorkflowDefinitionModel).where(WorkflowDefinitionModel.name == name)
        return (await self._session.scalars(query.order_by(WorkflowDefinitionModel.id))).all()

    async def _one(self, query: Select[Any]) -> WorkflowDefinitionModel | None:
        found: WorkflowDefinitionModel | None = (await self._session.scalars(query)).one_or_none()
        return found
