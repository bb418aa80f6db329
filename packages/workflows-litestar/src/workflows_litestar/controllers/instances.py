"""Routes of instances."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.datastructures import ResponseHeader
from litestar.di import Provide
from litestar.exceptions import ValidationException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Body, HeaderParameter, QueryParameter

from workflows_core import (
    Actor,
    DefinitionNotFoundError,
    IdempotencyConflictError,
    InputValidationError,
    InstanceNotFoundError,
    InvalidCursorError,
    PayloadError,
    PayloadTooLargeError,
    WorkflowEngine,
)
from workflows_litestar.controllers.parameters import Drawing, InstanceId, Instances, Paging, provide_instances
from workflows_litestar.dependencies import CurrentActor, Engine
from workflows_litestar.drawings import draw, step_states
from workflows_litestar.openapi import INSTANCES_TAG
from workflows_litestar.problems.documentation import document_problems
from workflows_litestar.schemas.bodies import StartWorkflowDTO
from workflows_litestar.schemas.definitions import GraphDTO
from workflows_litestar.schemas.instances import (
    EventDTO,
    StepExecutionDTO,
    WorkflowInstanceDetailDTO,
    WorkflowInstanceDTO,
)
from workflows_litestar.schemas.paging import ListDTO, page_of, place_in, run_of

__all__ = ["WorkflowInstanceController"]


DETAIL_HISTORY: Final = 100
"""Finished step executions that the detail of an instance shows itself."""

RunLimit = Annotated[int, QueryParameter(ge=1, le=500, description="Most items in the answer.")]
RunCursor = Annotated[str | None, QueryParameter(max_length=2000, description="`next_cursor` of the page before.")]


class WorkflowInstanceController(Controller):
    """Start and watch workflow instances."""

    path = "/instances"
    tags = (INSTANCES_TAG,)

    @post(
        operation_id="startWorkflowInstance",
        name="workflows:instances:start",
        summary="Start a workflow instance",
        description="With an idempotency key, given in the header or in the body, a repetition starts nothing new.",
        response_description="Started; `Location` is the address of the instance.",
        response_headers=[
            ResponseHeader(name="Location", description="Address of the instance.", documentation_only=True)
        ],
        responses={
            200: ResponseSpec(
                WorkflowInstanceDTO,
                generate_examples=False,
                description="The key was used before for the same request: the instance that it started then.",
            ),
            **document_problems(
                DefinitionNotFoundError,
                InputValidationError,
                PayloadError,
                PayloadTooLargeError,
                IdempotencyConflictError,
                has_body=True,
            ),
        },
    )
    async def start_instance(
        self,
        data: Annotated[StartWorkflowDTO, Body(description="What to start.")],
        request: Request[Any, Any, Any],
        workflow_engine: Engine,
        workflow_actor: CurrentActor,
        idempotency_key: Annotated[
            str | None,
            HeaderParameter(
                name="Idempotency-Key",
                min_length=1,
                max_length=255,
                description="The same as in the body; give it once.",
            ),
        ] = None,
    ) -> Response[WorkflowInstanceDTO]:
        """Start an instance in the tenant of the actor."""
        instance = await workflow_engine.start_workflow(
            data.workflow_name,
            data.initial_data,
            version=data.version,
            idempotency_key=_one_key(idempotency_key, data.idempotency_key),
            actor=workflow_actor,
            metadata=data.metadata,
            deadline=None if data.deadline is None else timedelta(seconds=data.deadline),
            priority=data.priority,
            delay=None if data.delay is None else timedelta(seconds=data.delay),
            start_at=data.start_at,
        )
        address = request.app.route_reverse("workflows:instances:get", instance_id=str(instance.id))
        return Response(
            WorkflowInstanceDTO.of(instance),
            status_code=200 if instance.is_duplicate else 201,
            headers={"Location": request.scope.get("root_path", "") + address},
        )

    @get(
        operation_id="listWorkflowInstances",
        name="workflows:instances:list",
        summary="List workflow instances",
        dependencies={"instances": Provide(provide_instances, sync_to_thread=False)},
        responses=document_problems(InvalidCursorError),
    )
    async def list_instances(
        self,
        workflow_engine: Engine,
        workflow_actor: CurrentActor,
        instances: Instances,
        paging: Paging,
    ) -> ListDTO[WorkflowInstanceDTO]:
        """List the instances of the actor's tenant."""
        where = msgspec.structs.replace(instances, tenant=workflow_actor.tenant)
        found = await workflow_engine.queries.list_instances(where, paging)
        return page_of(found, paging, WorkflowInstanceDTO.of)

    @get(
        "/{instance_id:str}",
        operation_id="getWorkflowInstance",
        name="workflows:instances:get",
        summary="Get a workflow instance",
        responses=document_problems(InstanceNotFoundError),
    )
    async def get_instance(
        self, instance_id: InstanceId, workflow_engine: Engine, workflow_actor: CurrentActor
    ) -> WorkflowInstanceDetailDTO:
        """Get an instance with its data, its active steps and the beginning of its history."""
        instance = await workflow_engine.get_instance(instance_id, tenant=workflow_actor.tenant)
        found = await workflow_engine.queries.list_executions(instance_id, limit=DETAIL_HISTORY + 1)
        return WorkflowInstanceDetailDTO.detail_of(
            instance, found[:DETAIL_HISTORY], has_more_history=len(found) > DETAIL_HISTORY
        )

    @get(
        "/{instance_id:str}/graph",
        operation_id="getWorkflowInstanceGraph",
        name="workflows:instances:graph",
        summary="Draw a workflow instance",
        description="The graph that the instance runs, with the state of each step in the text formats.",
        responses=document_problems(InstanceNotFoundError),
    )
    async def get_instance_graph(
        self,
        instance_id: InstanceId,
        workflow_engine: Engine,
        workflow_actor: CurrentActor,
        drawing: Drawing = "mermaid",
    ) -> GraphDTO:
        """Draw the graph of an instance with the state of its steps."""
        instance = await workflow_engine.get_instance(instance_id, tenant=workflow_actor.tenant)
        return draw(await workflow_engine.graph_of(instance), drawing, await step_states(workflow_engine, instance))

    @get(
        "/{instance_id:str}/history",
        operation_id="listStepExecutions",
        name="workflows:instances:history",
        summary="List the finished steps of an instance",
        responses=document_problems(InstanceNotFoundError, InvalidCursorError),
    )
    async def list_history(
        self,
        instance_id: InstanceId,
        workflow_engine: Engine,
        workflow_actor: CurrentActor,
        limit: RunLimit = 100,
        cursor: RunCursor = None,
    ) -> ListDTO[StepExecutionDTO]:
        """List finished step executions, oldest first."""
        await _require_instance(workflow_engine, workflow_actor, instance_id)
        found = await workflow_engine.queries.list_executions(instance_id, after=place_in(cursor), limit=limit + 1)
        shown = found[:limit]
        following = shown[-1].execution.number if len(found) > limit else None
        return run_of(shown, limit, StepExecutionDTO.of, following=following)

    @get(
        "/{instance_id:str}/events",
        operation_id="listWorkflowEvents",
        name="workflows:instances:events",
        summary="List what happened to an instance",
        description="The audit record: who did what, when. A page may hold more than `limit` events.",
        responses=document_problems(InstanceNotFoundError, InvalidCursorError),
    )
    async def list_events(
        self,
        instance_id: InstanceId,
        workflow_engine: Engine,
        workflow_actor: CurrentActor,
        limit: RunLimit = 100,
        cursor: RunCursor = None,
    ) -> ListDTO[EventDTO]:
        """List events, oldest first."""
        await _require_instance(workflow_engine, workflow_actor, instance_id)
        queries = workflow_engine.queries
        found = await queries.list_events(instance_id, after_revision=place_in(cursor), limit=limit)
        has_more = bool(found) and bool(
            await queries.list_events(instance_id, after_revision=found[-1].revision, limit=1)
        )
        return run_of(found, limit, EventDTO.of, following=found[-1].revision if has_more else None)


def _one_key(header: str | None, body: str | None) -> str | None:
    if header is not None and body is not None and header != body:
        problem = {
            "key": "Idempotency-Key",
            "message": "differs from `idempotency_key` of the body",
            "source": "header",
        }
        raise ValidationException(detail="The request has two idempotency keys.", extra=[problem])
    return header if header is not None else body


async def _require_instance(engine: WorkflowEngine, actor: Actor, instance_id: UUID) -> None:
    if await engine.queries.get_instance(instance_id, tenant=actor.tenant) is None:
        raise InstanceNotFoundError(instance_id)
