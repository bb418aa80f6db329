"""The engine for code without an event loop: scripts, notebooks, threads of a synchronous web application."""

from __future__ import annotations

from collections.abc import Collection, Coroutine, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Self, TypeVar
from uuid import UUID

from workflows_core.authoring.definition import WorkflowDefinition
from workflows_core.domain.actor import Actor
from workflows_core.engine.background_loop import BackgroundLoop
from workflows_core.engine.engine import WorkflowEngine
from workflows_core.engine.instances import WorkflowInstance
from workflows_core.ports.queries import InstanceRecord, Page, PageRequest, TaskRecord

__all__ = ["SyncWorkflowEngine"]

T = TypeVar("T")


class SyncWorkflowEngine:
    """A synchronous face of an engine, which lives in an event loop of a thread of its own.

    Use it as a context manager; the methods mean what those of `WorkflowEngine` mean. It may be used from several threads.
    """

    def __init__(self, engine: WorkflowEngine) -> None:
        self._engine = engine
        self._loop: BackgroundLoop | None = None

    def __enter__(self) -> Self:
        self._loop = BackgroundLoop("workflows-engine")
        try:
            self._loop.run(self._engine.open())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        loop, self._loop = self._loop, None
        if loop is None:
            return
        try:
            loop.run(self._engine.aclose())
        finally:
            loop.stop()

    def start_workflow(
        self,
        workflow: type[Any] | str | WorkflowDefinition,
        initial_data: Mapping[str, Any] | None = None,
        *,
        version: str | None = None,
        idempotency_key: str | None = None,
        actor: Actor | None = None,
        metadata: Mapping[str, Any] | None = None,
        deadline: timedelta | None = None,
        priority: int | None = None,
        delay: timedelta | None = None,
        start_at: datetime | None = None,
    ) -> WorkflowInstance:
        """Start an instance; see `WorkflowEngine.start_workflow`."""
        return self._call(
            self._engine.start_workflow(
                workflow,
                initial_data,
                version=version,
                idempotency_key=idempotency_key,
                actor=actor,
                metadata=metadata,
                deadline=deadline,
                priority=priority,
                delay=delay,
                start_at=start_at,
            )
        )

    def get_instance(self, instance_id: UUID, *, tenant: str | None = None) -> WorkflowInstance:
        """An instance as it stands; see `WorkflowEngine.get_instance`."""
        return self._call(self._engine.get_instance(instance_id, tenant=tenant))

    def cancel_workflow(self, instance_id: UUID, reason: str = "", *, actor: Actor | None = None) -> WorkflowInstance:
        """Cancel an instance; see `WorkflowEngine.cancel_workflow`."""
        return self._call(self._engine.cancel_workflow(instance_id, reason, actor=actor))

    def terminate_workflow(
        self, instance_id: UUID, reason: str = "", *, actor: Actor | None = None
    ) -> WorkflowInstance:
        """End an instance at once; see `WorkflowEngine.terminate_workflow`."""
        return self._call(self._engine.terminate_workflow(instance_id, reason, actor=actor))

    def list_dead_letters(
        self, *, tenant: str | None = None, workflow_name: str | None = None, page: PageRequest | None = None
    ) -> Page[InstanceRecord]:
        """Instances that wait for an operator; see `WorkflowEngine.list_dead_letters`."""
        return self._call(self._engine.list_dead_letters(tenant=tenant, workflow_name=workflow_name, page=page))

    def retry(
        self,
        instance_id: UUID,
        from_step: str | None = None,
        *,
        data: Mapping[str, Any] | None = None,
        delete: Collection[str] = (),
        actor: Actor | None = None,
    ) -> WorkflowInstance:
        """Let a dead letter go on; see `WorkflowEngine.retry`."""
        return self._call(self._engine.retry(instance_id, from_step, data=data, delete=delete, actor=actor))

    def discard(self, instance_id: UUID, reason: str = "", *, actor: Actor | None = None) -> WorkflowInstance:
        """Give up a dead letter; see `WorkflowEngine.discard`."""
        return self._call(self._engine.discard(instance_id, reason, actor=actor))

    def signal(
        self,
        instance_id: UUID,
        name: str,
        payload: Any = None,
        *,
        dedup_key: str | None = None,
        actor: Actor | None = None,
    ) -> WorkflowInstance:
        """Send a named signal; see `WorkflowEngine.signal`."""
        return self._call(self._engine.signal(instance_id, name, payload, dedup_key=dedup_key, actor=actor))

    def wait(self, instance_id: UUID, *, timeout: float | None = None) -> WorkflowInstance:
        """Wait until an instance is over or waits; see `WorkflowEngine.wait`."""
        return self._call(self._engine.wait(instance_id, timeout=timeout))

    def complete_task(
        self, task_id: UUID, data: Mapping[str, Any], *, actor: Actor, comment: str | None = None
    ) -> WorkflowInstance:
        """Complete a task; see `WorkflowEngine.complete_task`."""
        return self._call(self._engine.complete_task(task_id, data, actor=actor, comment=comment))

    def complete_human_task(
        self, instance_id: UUID, step_name: str, user_id: str, data: Mapping[str, Any]
    ) -> WorkflowInstance:
        """Complete the open task of a step; see `WorkflowEngine.complete_human_task`."""
        return self._call(self._engine.complete_human_task(instance_id, step_name, user_id, data))

    def get_pending_tasks(self, user_id: str | None = None, *, tenant: str | None = None) -> Sequence[TaskRecord]:
        """Open tasks; see `WorkflowEngine.get_pending_tasks`."""
        return self._call(self._engine.get_pending_tasks(user_id, tenant=tenant))

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            coroutine.close()
            msg = "a SyncWorkflowEngine is used as a context manager: with SyncWorkflowEngine(engine) as engine: …"
            raise RuntimeError(msg)
        return self._loop.run(coroutine)
