"""Routes of human tasks."""

from __future__ import annotations

from typing import Annotated, Literal, cast
from uuid import UUID

from litestar import Controller, get, post
from litestar.params import Body, QueryParameter

from workflows_core import (
    FormValidationError,
    InvalidCursorError,
    PayloadError,
    PayloadTooLargeError,
    TaskAlreadyCompletedError,
    TaskNotFoundError,
    TaskNotOpenError,
    TaskStatus,
)
from workflows_core.ports.queries import TaskFilter
from workflows_litestar.controllers.parameters import Moment, Paging, TaskId, WorkflowName, moment_of
from workflows_litestar.dependencies import CurrentActor, Engine
from workflows_litestar.openapi import TASKS_TAG
from workflows_litestar.problems.documentation import document_problems
from workflows_litestar.schemas.bodies import CompleteTaskDTO, ReassignTaskDTO
from workflows_litestar.schemas.instances import WorkflowInstanceDTO
from workflows_litestar.schemas.paging import ListDTO, page_of
from workflows_litestar.schemas.tasks import HumanTaskDetailDTO, HumanTaskDTO

__all__ = ["HumanTaskController"]


class HumanTaskController(Controller):
    """Tasks that wait for people."""

    path = "/tasks"
    tags = (TASKS_TAG,)

    @get(
        operation_id="listHumanTasks",
        name="workflows:tasks:list",
        summary="List human tasks",
        description="By default the open tasks that the actor may do: assigned to the actor, or unassigned with the actor or one "
        "of its groups as candidate, or for everybody.",
        responses=document_problems(InvalidCursorError),
    )
    async def list_tasks(
        self,
        *,
        workflow_engine: Engine,
        workflow_actor: CurrentActor,
        paging: Paging,
        mine: Annotated[
            bool, QueryParameter(description="Only tasks that the actor may do; else all of the tenant.")
        ] = True,
        status: Annotated[
            list[TaskStatus] | None,
            QueryParameter(description="Only with one of these statuses; open ones if left out."),
        ] = None,
        assignee_id: Annotated[
            str | None, QueryParameter(max_length=255, description="Only those assigned to exactly this user.")
        ] = None,
        workflow_name: WorkflowName = None,
        instance_id: Annotated[UUID | None, QueryParameter(description="Only of this instance.")] = None,
        step_name: Annotated[str | None, QueryParameter(max_length=255, description="Only of this step.")] = None,
        due_before: Annotated[
            Moment, QueryParameter(format="date-time", description="Only those due before this moment.")
        ] = None,
        order: Annotated[
            Literal["created_at", "-created_at", "due_at", "-due_at", "priority", "-priority"],
            QueryParameter(description="Sort key; `-` is descending. Tasks without a due date come last."),
        ] = "created_at",
    ) -> ListDTO[HumanTaskDTO]:
        """List tasks of the actor's tenant."""
        where = TaskFilter(
            tenant=workflow_actor.tenant,
            statuses=tuple(status) if status else (TaskStatus.PENDING,),
            user_id=workflow_actor.id if mine else None,
            groups=workflow_actor.groups | workflow_actor.roles if mine else frozenset(),
            assignee_id=assignee_id,
            workflow_name=workflow_name,
            instance_id=instance_id,
            step_name=step_name,
            due_before=moment_of(due_before, "due_before"),
            order_by=cast("Literal['created_at', 'due_at', 'priority']", order.removeprefix("-")),
            descending=order.startswith("-"),
        )
        return page_of(await workflow_engine.queries.list_tasks(where, paging), paging, HumanTaskDTO.of)

    @get(
        "/{task_id:str}",
        operation_id="getHumanTask",
        name="workflows:tasks:get",
        summary="Get a human task",
        responses=document_problems(TaskNotFoundError),
    )
    async def get_task(
        self, task_id: TaskId, workflow_engine: Engine, workflow_actor: CurrentActor
    ) -> HumanTaskDetailDTO:
        """Get a task with its form and the data of its instance."""
        task = await workflow_engine.get_task(task_id, actor=workflow_actor)
        instance = await workflow_engine.get_instance(task.instance_id, tenant=workflow_actor.tenant)
        return HumanTaskDetailDTO.detail_of(task, instance.data)

    @post(
        "/{task_id:str}/complete",
        status_code=200,
        operation_id="completeHumanTask",
        name="workflows:tasks:complete",
        summary="Complete a human task",
        description="The form is validated against the task's schema. Of several who complete it, the first one counts.",
        responses=document_problems(
            TaskNotFoundError,
            TaskAlreadyCompletedError,
            TaskNotOpenError,
            FormValidationError,
            PayloadError,
            PayloadTooLargeError,
            has_body=True,
        ),
    )
    async def complete_task(
        self,
        task_id: TaskId,
        data: Annotated[CompleteTaskDTO, Body(description="The decision.")],
        workflow_engine: Engine,
        workflow_actor: CurrentActor,
    ) -> WorkflowInstanceDTO:
        """Complete a task in the name of the actor."""
        instance = await workflow_engine.complete_task(
            task_id, data.form_data, actor=workflow_actor, comment=data.comment
        )
        return WorkflowInstanceDTO.of(instance)

    @post(
        "/{task_id:str}/reassign",
        status_code=200,
        operation_id="reassignHumanTask",
        name="workflows:tasks:reassign",
        summary="Give a human task to somebody else",
        responses=document_problems(TaskNotFoundError, TaskAlreadyCompletedError, TaskNotOpenError, has_body=True),
    )
    async def reassign_task(
        self,
        task_id: TaskId,
        data: Annotated[ReassignTaskDTO, Body(description="To whom.")],
        workflow_engine: Engine,
        workflow_actor: CurrentActor,
    ) -> HumanTaskDTO:
        """Reassign a task; who could complete it may do so."""
        return HumanTaskDTO.of(
            await workflow_engine.reassign_task(task_id, data.assignee_id, actor=workflow_actor, reason=data.reason)
        )
