"""Use cases of human tasks: complete, reassign, find."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from workflows_core.authoring.code import ask
from workflows_core.domain.actor import Actor
from workflows_core.domain.commands import Command, CompleteTask, Place, ReassignTask
from workflows_core.domain.forms import FieldProblem, validate_form
from workflows_core.domain.payload import encode_data, encode_value
from workflows_core.domain.state import InstanceState
from workflows_core.domain.tasks import may_act
from workflows_core.domain.types import TaskStatus
from workflows_core.engine.contexts import Contexts
from workflows_core.engine.instances import WorkflowInstance, to_instance
from workflows_core.engine.programs import LoadedProgram, Programs
from workflows_core.engine.requests import MakeCommand, Requests
from workflows_core.engine.settings import EngineSettings
from workflows_core.errors import (
    AmbiguousTaskError,
    FormValidationError,
    InstanceFinishedError,
    PermissionDeniedError,
    StaleExecutionError,
    TaskAlreadyCompletedError,
    TaskNotFoundError,
    TaskNotOpenError,
)
from workflows_core.ports.codec import PayloadCodec
from workflows_core.ports.queries import PageRequest, TaskFilter, TaskRecord, WorkflowQueries
from workflows_core.ports.store import Loaded

__all__ = ["Tasks"]


class Tasks:
    """Acts on human tasks in the name of an actor."""

    def __init__(
        self,
        *,
        queries: WorkflowQueries,
        requests: Requests,
        programs: Programs,
        contexts: Contexts,
        codec: PayloadCodec,
        settings: EngineSettings,
    ) -> None:
        self._queries = queries
        self._requests = requests
        self._programs = programs
        self._contexts = contexts
        self._codec = codec
        self._settings = settings

    async def get(self, task_id: UUID, *, tenant: str | None) -> TaskRecord:
        """One task.

        Raises:
            TaskNotFoundError: There is none (for that tenant).
        """
        task = await self._queries.get_task(task_id, tenant=tenant)
        if task is None:
            raise TaskNotFoundError(task_id)
        return task

    async def find_open(self, instance_id: UUID, step: str, *, tenant: str | None) -> TaskRecord:
        """The one open task of a step, else the one that was completed last.

        Raises:
            AmbiguousTaskError: Several are open.
            TaskNotFoundError: The step never had a task.
        """
        where = TaskFilter(tenant=tenant, instance_id=instance_id, step_name=step, descending=True)
        found = (await self._queries.list_tasks(where, PageRequest(limit=1000))).items
        pending = [task for task in found if task.status is TaskStatus.PENDING]
        if len(pending) > 1:
            raise AmbiguousTaskError(instance_id, step, [task.id for task in pending])
        if not found:
            raise TaskNotFoundError(f"of step {step!r} in instance {instance_id}")
        return (pending or found)[0]

    async def complete(
        self, task: TaskRecord, data: Mapping[str, Any], *, actor: Actor, comment: str | None, trusted: bool
    ) -> WorkflowInstance:
        """Complete a task; see `WorkflowEngine.complete_task`."""
        self._refuse_closed(task)
        self._permit(task, actor, "complete", trusted=trusted)
        opening = task.opening
        self._refuse_form(task, validate_form(opening.form_schema, dict(data)))
        found = await self._requests.read(task.instance_id, tenant=task.tenant_id, scopes=(opening.scope,))
        self._refuse_form(task, await self._ask_step(task, found.state, data))
        form = encode_data(data, self._codec.encode)
        document = encode_value(f"forms.{opening.step_name}", dict(data), self._codec.encode)

        def command(found: Loaded, _program: LoadedProgram) -> Command:
            return CompleteTask(
                place=Place(opening.scope, opening.token, opening.execution),
                now=found.at,
                task_id=task.id,
                actor=actor,
                form=form,
                form_document=document,
                comment=comment,
            )

        return await self._apply(task, command, actor, found)

    async def reassign(self, task: TaskRecord, assignee_id: str, *, actor: Actor, reason: str | None) -> TaskRecord:
        """Give a task to somebody else; see `WorkflowEngine.reassign_task`."""
        self._refuse_closed(task)
        self._permit(task, actor, "reassign", trusted=False)
        opening = task.opening

        def command(_found: Loaded, _program: LoadedProgram) -> Command:
            return ReassignTask(
                place=Place(opening.scope, opening.token, opening.execution),
                task_id=task.id,
                actor=actor,
                assignee_id=assignee_id,
                previous_assignee_id=task.assignee_id,
                reason=reason,
            )

        await self._apply(task, command, actor)
        return await self.get(task.id, tenant=task.tenant_id)

    async def _apply(
        self, task: TaskRecord, make: MakeCommand, actor: Actor, found: Loaded | None = None
    ) -> WorkflowInstance:
        try:
            state, at = await self._requests.apply(
                task.instance_id,
                make,
                found=found,
                actor=actor.id,
                tenant=task.tenant_id,
                scopes=(task.opening.scope,),
            )
        except (StaleExecutionError, InstanceFinishedError):
            self._refuse_closed(await self.get(task.id, tenant=task.tenant_id))
            raise
        return to_instance(state, self._codec, updated_at=at)

    def _refuse_closed(self, task: TaskRecord) -> None:
        if task.status is TaskStatus.COMPLETED:
            raise TaskAlreadyCompletedError(task.id, task.completed_by, task.completed_at)
        if task.status is not TaskStatus.PENDING:
            raise TaskNotOpenError(task.id, task.status)

    def _permit(self, task: TaskRecord, actor: Actor, action: str, *, trusted: bool) -> None:
        """Refuse an actor who may not act.

        A trusted caller names only the user, so what depends on the user's groups is the caller's to know.
        """
        opening = task.opening
        groups: Collection[str] = opening.candidate_groups
        if trusted and task.assignee_id is None and groups:
            return
        if not may_act(
            actor,
            assignee_id=task.assignee_id,
            candidate_users=opening.candidate_users,
            candidate_groups=groups,
            admin_roles=self._settings.admin_roles,
        ):
            whose = f"it is assigned to {task.assignee_id}" if task.assignee_id else "it is for other users or groups"
            raise PermissionDeniedError(actor.id, f"{action} task {task.id}", whose)

    def _refuse_form(self, task: TaskRecord, problems: Sequence[FieldProblem]) -> None:
        if problems:
            raise FormValidationError(f"form of task {task.opening.title!r}", problems)

    async def _ask_step(
        self, task: TaskRecord, state: InstanceState, data: Mapping[str, Any]
    ) -> Sequence[FieldProblem]:
        """What the step's own ``validate_submission`` finds wrong."""
        opening = task.opening
        loaded = await self._programs.of(state)
        code = loaded.definition.code.get(opening.step_name) if loaded.definition is not None else None
        token = state.find(opening.scope, opening.token, opening.execution)
        if code is None or code.validate_submission is None or token is None:
            return ()
        context = self._contexts.make(loaded, state, opening.scope, token)
        try:
            async with loaded.dependencies_of(opening.step_name, context):
                answer = await ask(code.validate_submission, context, dict(data))
        except ValueError as error:
            answer = [str(error)]
        return _problems(answer)


def _problems(answer: Any) -> Sequence[FieldProblem]:
    if not answer:
        return ()
    if isinstance(answer, Mapping):
        return [FieldProblem(f"/{field}", str(message), "validate_submission") for field, message in answer.items()]
    if isinstance(answer, str):
        return [FieldProblem("", answer, "validate_submission")]
    return [FieldProblem("", str(message), "validate_submission") for message in answer]
