"""Routes that steer instances: signal, cancel, terminate, retry, discard."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, post
from litestar.params import Body, PathParameter

from workflows_core import (
    InputValidationError,
    InstanceEndingError,
    InstanceFinishedError,
    InstanceNotFoundError,
    NothingToReopenError,
    NotParkedError,
    PayloadError,
    PayloadTooLargeError,
    UnknownSignalError,
    UnknownStepError,
)
from workflows_litestar.controllers.parameters import InstanceId
from workflows_litestar.dependencies import CurrentActor, Engine
from workflows_litestar.openapi import INSTANCES_TAG
from workflows_litestar.problems.documentation import document_problems
from workflows_litestar.schemas.bodies import (
    CancelWorkflowDTO,
    DiscardWorkflowDTO,
    RetryWorkflowDTO,
    SignalWorkflowDTO,
    TerminateWorkflowDTO,
)
from workflows_litestar.schemas.instances import WorkflowInstanceDTO

__all__ = ["WorkflowControlController"]


class WorkflowControlController(Controller):
    """Signal and end workflow instances, and let dead letters go on; each in the name of the actor."""

    path = "/instances/{instance_id:str}"
    tags = (INSTANCES_TAG,)

    @post(
        "/signals/{name:str}",
        status_code=200,
        operation_id="signalWorkflowInstance",
        name="workflows:instances:signal",
        summary="Send a signal to a workflow instance",
        description="The step that has waited longest for the name takes it; without one it is kept for the next that waits.",
        responses=document_problems(
            InstanceNotFoundError,
            InstanceFinishedError,
            InstanceEndingError,
            UnknownSignalError,
            InputValidationError,
            PayloadError,
            PayloadTooLargeError,
            has_body=True,
        ),
    )
    async def signal_instance(
        self,
        instance_id: InstanceId,
        name: Annotated[str, PathParameter(min_length=1, max_length=255, description="Name of the signal.")],
        data: Annotated[SignalWorkflowDTO, Body(description="What it brings.")],
        workflow_engine: Engine,
        workflow_actor: CurrentActor,
    ) -> WorkflowInstanceDTO:
        """Send a named signal to an instance."""
        return WorkflowInstanceDTO.of(
            await workflow_engine.signal(
                instance_id, name, data.payload, dedup_key=data.dedup_key, actor=workflow_actor
            )
        )

    @post(
        "/cancel",
        status_code=200,
        operation_id="cancelWorkflowInstance",
        name="workflows:instances:cancel",
        summary="Cancel a workflow instance",
        description="Its open steps, timers and tasks are cancelled; code under way is asked to stop. What it has done is undone "
        "first, where steps can be undone; until that is over, its `phase` tells how far it is.",
        responses=document_problems(InstanceNotFoundError, InstanceFinishedError, InstanceEndingError, has_body=True),
    )
    async def cancel_instance(
        self,
        instance_id: InstanceId,
        data: Annotated[CancelWorkflowDTO, Body(description="Why.")],
        workflow_engine: Engine,
        workflow_actor: CurrentActor,
    ) -> WorkflowInstanceDTO:
        """Cancel an instance."""
        return WorkflowInstanceDTO.of(
            await workflow_engine.cancel_workflow(instance_id, data.reason, actor=workflow_actor)
        )

    @post(
        "/terminate",
        status_code=200,
        operation_id="terminateWorkflowInstance",
        name="workflows:instances:terminate",
        summary="End a workflow instance at once",
        description="It is canceled as it stands, and nothing is undone. Also ends an instance whose undoing is stuck.",
        responses=document_problems(InstanceNotFoundError, InstanceFinishedError, has_body=True),
    )
    async def terminate_instance(
        self,
        instance_id: InstanceId,
        data: Annotated[TerminateWorkflowDTO, Body(description="Why.")],
        workflow_engine: Engine,
        workflow_actor: CurrentActor,
    ) -> WorkflowInstanceDTO:
        """End an instance without undoing anything."""
        return WorkflowInstanceDTO.of(
            await workflow_engine.terminate_workflow(instance_id, data.reason, actor=workflow_actor)
        )

    @post(
        "/retry",
        status_code=200,
        operation_id="retryWorkflowInstance",
        name="workflows:instances:retry",
        summary="Let a dead letter go on",
        description="Without a step, what has failed is opened again, with all that the failure cancelled. With a step, the workflow "
        "goes on from there. Data can be changed first.",
        responses=document_problems(
            InstanceNotFoundError,
            NotParkedError,
            NothingToReopenError,
            UnknownStepError,
            PayloadError,
            PayloadTooLargeError,
            has_body=True,
        ),
    )
    async def retry_instance(
        self,
        instance_id: InstanceId,
        data: Annotated[RetryWorkflowDTO, Body(description="How it is to go on.")],
        workflow_engine: Engine,
        workflow_actor: CurrentActor,
    ) -> WorkflowInstanceDTO:
        """Retry an instance."""
        return WorkflowInstanceDTO.of(
            await workflow_engine.retry(
                instance_id, data.from_step, data=data.data, delete=data.delete, actor=workflow_actor
            )
        )

    @post(
        "/discard",
        status_code=200,
        operation_id="discardWorkflowInstance",
        name="workflows:instances:discard",
        summary="Give up a dead letter",
        description="A failed instance stays failed and can no longer be retried. A step whose undoing has failed is left as it is, "
        "and the step before it is undone.",
        responses=document_problems(InstanceNotFoundError, NotParkedError, has_body=True),
    )
    async def discard_instance(
        self,
        instance_id: InstanceId,
        data: Annotated[DiscardWorkflowDTO, Body(description="Why.")],
        workflow_engine: Engine,
        workflow_actor: CurrentActor,
    ) -> WorkflowInstanceDTO:
        """Discard an instance."""
        return WorkflowInstanceDTO.of(await workflow_engine.discard(instance_id, data.reason, actor=workflow_actor))
