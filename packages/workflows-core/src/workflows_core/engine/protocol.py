"""What every engine offers: the names of the plan, for code that does not care how an engine is wired."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from workflows_core.authoring.context import WorkflowContext
from workflows_core.authoring.definition import WorkflowDefinition
from workflows_core.domain.actor import Actor
from workflows_core.engine.instances import WorkflowInstance

__all__ = ["ExecutionEngine"]


class ExecutionEngine(Protocol):
    """Starts workflows and steers them; `WorkflowEngine` says what each method means."""

    @abstractmethod
    async def start_workflow(
        self,
        workflow: type[Any] | str | WorkflowDefinition,
        initial_data: Mapping[str, Any] | None = None,
        *,
        version: str | None = None,
        idempotency_key: str | None = None,
        actor: Actor | None = None,
        metadata: Mapping[str, Any] | None = None,
        session: Any = None,
    ) -> WorkflowInstance:
        """Start an instance; it is durable when this returns."""

    @abstractmethod
    async def execute_step(self, step: Any, context: WorkflowContext, previous_result: Any = None) -> Any:
        """Run one step or group by itself, without an instance."""

    @abstractmethod
    async def schedule_step(self, instance_id: UUID, step_name: str, delay: timedelta | None = None) -> None:
        """Move the moment of a timer that an instance waits for."""

    @abstractmethod
    async def complete_human_task(
        self, instance_id: UUID, step_name: str, user_id: str, data: Mapping[str, Any], *, session: Any = None
    ) -> WorkflowInstance:
        """Complete the open task of a step in the name of a user."""

    @abstractmethod
    async def cancel_workflow(
        self, instance_id: UUID, reason: str = "", *, actor: Actor | None = None, session: Any = None
    ) -> WorkflowInstance:
        """Cancel an instance."""
