"""Routes of dead letters: look through them, and retry or discard many at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, get, post
from litestar.params import Body

from workflows_core import Actor, InvalidCursorError, WorkflowEngine, WorkflowInstance, WorkflowsError
from workflows_core.ports.queries import PageRequest
from workflows_litestar.controllers.parameters import Paging, WorkflowName
from workflows_litestar.dependencies import CurrentActor, Engine
from workflows_litestar.openapi import DEAD_LETTERS_TAG
from workflows_litestar.problems.documentation import document_problems
from workflows_litestar.problems.handlers import problem_of
from workflows_litestar.schemas.bodies import DeadLettersDTO, DiscardDeadLettersDTO, RetryDeadLettersDTO
from workflows_litestar.schemas.dead_letters import BulkResultDTO, BulkResultsDTO
from workflows_litestar.schemas.instances import WorkflowInstanceDTO
from workflows_litestar.schemas.paging import ListDTO, page_of

__all__ = ["DeadLetterController"]

_BULK = "Each is handled by itself, and has an answer of its own: what it is now, or the problem. Ask again with `next_cursor` for more."


class DeadLetterController(Controller):
    """Instances of the actor's tenant that wait for an operator."""

    path = "/dead-letters"
    tags = (DEAD_LETTERS_TAG,)

    @get(
        operation_id="listDeadLetters",
        name="workflows:dead-letters:list",
        summary="List dead letters",
        description="Instances that have failed, and those of which the undoing of a step has failed; newest first. One leaves the "
        "list when it is retried or discarded.",
        responses=document_problems(InvalidCursorError),
    )
    async def list_dead_letters(
        self,
        workflow_engine: Engine,
        workflow_actor: CurrentActor,
        paging: Paging,
        workflow_name: WorkflowName = None,
    ) -> ListDTO[WorkflowInstanceDTO]:
        """List the dead letters of the actor's tenant."""
        found = await workflow_engine.list_dead_letters(
            tenant=workflow_actor.tenant, workflow_name=workflow_name, page=paging
        )
        return page_of(found, paging, WorkflowInstanceDTO.of)

    @post(
        "/retry",
        status_code=200,
        operation_id="retryDeadLetters",
        name="workflows:dead-letters:retry",
        summary="Let dead letters go on",
        description=_BULK,
        responses=document_problems(InvalidCursorError, has_body=True),
    )
    async def retry_dead_letters(
        self,
        data: Annotated[RetryDeadLettersDTO, Body(description="Which, and how.")],
        request: Request[Any, Any, Any],
        workflow_engine: Engine,
        workflow_actor: CurrentActor,
    ) -> BulkResultsDTO:
        """Retry many instances."""

        async def retry(instance_id: UUID) -> WorkflowInstance:
            return await workflow_engine.retry(
                instance_id, data.from_step, data=data.data, delete=data.delete, actor=workflow_actor
            )

        ids, following = await _chosen(data, workflow_engine, workflow_actor)
        return BulkResultsDTO(results=await _each(ids, retry, request), next_cursor=following)

    @post(
        "/discard",
        status_code=200,
        operation_id="discardDeadLetters",
        name="workflows:dead-letters:discard",
        summary="Give up dead letters",
        description=_BULK,
        responses=document_problems(InvalidCursorError, has_body=True),
    )
    async def discard_dead_letters(
        self,
        data: Annotated[DiscardDeadLettersDTO, Body(description="Which, and why.")],
        request: Request[Any, Any, Any],
        workflow_engine: Engine,
        workflow_actor: CurrentActor,
    ) -> BulkResultsDTO:
        """Discard many instances."""

        async def discard(instance_id: UUID) -> WorkflowInstance:
            return await workflow_engine.discard(instance_id, data.reason, actor=workflow_actor)

        ids, following = await _chosen(data, workflow_engine, workflow_actor)
        return BulkResultsDTO(results=await _each(ids, discard, request), next_cursor=following)


async def _chosen(wanted: DeadLettersDTO, engine: WorkflowEngine, actor: Actor) -> tuple[list[UUID], str | None]:
    """Ids of the instances that a request is about, and the cursor for those that did not find room in it."""
    ids, following = list(wanted.instance_ids), None
    if wanted.matching is not None:
        page = PageRequest(limit=wanted.matching.limit, cursor=wanted.matching.cursor)
        name = wanted.matching.workflow_name
        found = await engine.list_dead_letters(tenant=actor.tenant, workflow_name=name, page=page)
        ids += [record.id for record in found.items]
        following = found.next_cursor
    return list(dict.fromkeys(ids)), following


async def _each(
    ids: Iterable[UUID], do: Callable[[UUID], Awaitable[WorkflowInstance]], request: Request[Any, Any, Any]
) -> list[BulkResultDTO]:
    """Do something to one instance after the other; what is wrong with one does not concern the next."""
    results: list[BulkResultDTO] = []
    for instance_id in ids:
        try:
            instance = await do(instance_id)
        except WorkflowsError as error:
            results.append(BulkResultDTO(instance_id=instance_id, ok=False, problem=problem_of(request, error)))
        else:
            results.append(
                BulkResultDTO(instance_id=instance_id, ok=True, status=instance.status, phase=instance.phase)
            )
    return results
