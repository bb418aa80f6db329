"""Routes for operators, who see all tenants."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Controller, get
from litestar.di import Provide
from litestar.params import QueryParameter

from workflows_core import InstanceNotFoundError, InvalidCursorError, TaskStatus, WorkflowStatus
from workflows_core.ports.queries import InstanceFilter, PageRequest, TaskFilter
from workflows_litestar.controllers.parameters import InstanceId, Instances, Paging, WorkflowName, provide_instances
from workflows_litestar.dependencies import Engine
from workflows_litestar.openapi import ADMIN_TAG
from workflows_litestar.problems.documentation import document_problems
from workflows_litestar.schemas.admin import StalledDTO, StatsDTO
from workflows_litestar.schemas.instances import WorkflowInstanceDTO
from workflows_litestar.schemas.paging import ListDTO, page_of
from workflows_litestar.schemas.work import UnservedListDTO, UnservedWorkDTO, WorkItemDTO, WorkListDTO

__all__ = ["WorkflowAdminController"]

Tenant = Annotated[
    str | None, QueryParameter(max_length=255, description="Only of this tenant; all tenants if left out.")
]


class WorkflowAdminController(Controller):
    """What operators see, across tenants."""

    tags = (ADMIN_TAG,)

    @get(
        "/stats",
        operation_id="getWorkflowStats",
        name="workflows:admin:stats",
        summary="Count instances and tasks",
        responses=document_problems(),
    )
    async def get_stats(self, workflow_engine: Engine, tenant_id: Tenant = None) -> StatsDTO:
        """Count instances by status, and open tasks."""
        queries = workflow_engine.queries
        counted = await queries.count_instances(InstanceFilter(tenant=tenant_id))
        parked = await queries.count_instances(InstanceFilter(tenant=tenant_id, is_parked=True))
        count = PageRequest(limit=1, with_total=True)
        pending = (TaskStatus.PENDING,)
        opened = await queries.list_tasks(TaskFilter(tenant=tenant_id, statuses=pending), count)
        now = await workflow_engine.store.now()
        overdue = await queries.list_tasks(TaskFilter(tenant=tenant_id, statuses=pending, due_before=now), count)
        return StatsDTO(
            instances={status.value: counted.get(status, 0) for status in WorkflowStatus},
            total_instances=sum(counted.values()),
            dead_letters=sum(parked.values()),
            open_tasks=opened.total or 0,
            overdue_tasks=overdue.total or 0,
        )

    @get(
        "/instances",
        operation_id="listAllWorkflowInstances",
        name="workflows:admin:instances",
        summary="List workflow instances of all tenants",
        dependencies={"instances": Provide(provide_instances, sync_to_thread=False)},
        responses=document_problems(InvalidCursorError),
    )
    async def list_instances(
        self,
        workflow_engine: Engine,
        instances: Instances,
        paging: Paging,
        tenant_id: Tenant = None,
    ) -> ListDTO[WorkflowInstanceDTO]:
        """List instances, whosever they are."""
        where = msgspec.structs.replace(instances, tenant=tenant_id)
        found = await workflow_engine.queries.list_instances(where, paging)
        return page_of(found, paging, WorkflowInstanceDTO.of)

    @get(
        "/instances/{instance_id:str}/work",
        operation_id="listWorkItems",
        name="workflows:admin:work",
        summary="List the work of an instance",
        description="What is to be done for it, by when, and who does it: claims, crashes of workers, time limits.",
        responses=document_problems(InstanceNotFoundError),
    )
    async def list_work(self, instance_id: InstanceId, workflow_engine: Engine) -> WorkListDTO:
        """List work items of an instance, whosever it is."""
        queries = workflow_engine.queries
        if await queries.get_instance(instance_id) is None:
            raise InstanceNotFoundError(instance_id)
        return WorkListDTO(items=[WorkItemDTO.of(record) for record in await queries.list_work(instance_id)])

    @get(
        "/dead-letters",
        operation_id="listAllDeadLetters",
        name="workflows:admin:dead-letters",
        summary="List dead letters of all tenants",
        responses=document_problems(InvalidCursorError),
    )
    async def list_dead_letters(
        self,
        workflow_engine: Engine,
        paging: Paging,
        tenant_id: Tenant = None,
        workflow_name: WorkflowName = None,
    ) -> ListDTO[WorkflowInstanceDTO]:
        """List instances that wait for an operator, whosever they are."""
        found = await workflow_engine.list_dead_letters(tenant=tenant_id, workflow_name=workflow_name, page=paging)
        return page_of(found, paging, WorkflowInstanceDTO.of)

    @get(
        "/stalled",
        operation_id="listStalledWorkflowInstances",
        name="workflows:admin:stalled",
        summary="Find instances that nothing would move again",
        description="Always empty; anything else is a fault of this software to be reported.",
        responses=document_problems(),
    )
    async def list_stalled(
        self,
        workflow_engine: Engine,
        limit: Annotated[int, QueryParameter(ge=1, le=100, description="Most instances in the answer.")] = 100,
    ) -> StalledDTO:
        """Find stalled instances."""
        return StalledDTO(instance_ids=list(await workflow_engine.queries.find_stalled(limit=limit)))

    @get(
        "/unserved",
        operation_id="listUnservedWork",
        name="workflows:admin:unserved",
        summary="Find work that nobody takes",
        description="No worker that runs has its code and serves its queue, or all that do are busy.",
        responses=document_problems(),
    )
    async def list_unserved(
        self,
        workflow_engine: Engine,
        overdue_s: Annotated[
            float, QueryParameter(ge=0, le=86_400 * 365, description="Due for so many seconds.")
        ] = 60.0,
        limit: Annotated[int, QueryParameter(ge=1, le=100, description="Most work items in the answer.")] = 100,
    ) -> UnservedListDTO:
        """Find work that has been due for a while and is held by nobody."""
        found = await workflow_engine.queries.find_unserved(overdue_s=overdue_s, limit=limit)
        return UnservedListDTO(items=[UnservedWorkDTO.of(one) for one in found])
