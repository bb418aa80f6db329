"""Steps that wait for a call from outside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflows_core.authoring.code import StepCode
from workflows_core.authoring.context import WorkflowContext
from workflows_core.authoring.report import Report
from workflows_core.authoring.schemas import read_schema
from workflows_core.authoring.step import BaseStep
from workflows_core.domain.graph import WebhookNode
from workflows_core.domain.types import StepType

__all__ = ["WebhookStep", "read_webhook"]


class WebhookStep(BaseStep):
    """Waits for one call to its signed address, which `WorkflowContext.webhook_url` gives to any step before it.

    A call that comes before the step is entered is kept for it. The payload is the step's result.

    Attributes:
        payload_schema: JSON Schema that the payload must satisfy, or a msgspec Struct or dataclass; None accepts any JSON.
        into: Data key that receives the payload; None stores it under ``webhooks.<step>``.
    """

    step_type = StepType.WEBHOOK
    payload_schema: Mapping[str, Any] | type | None = None
    into: str | None = None

    def __init__(
        self,
        *,
        payload_schema: Mapping[str, Any] | type | None = None,
        into: str | None = None,
        **attributes: Any,
    ) -> None:
        """Set what was given; ``attributes`` are those of `StepAttributes`."""
        super().__init__(**attributes)
        self._assign(payload_schema=payload_schema, into=into)

    def get_callback_token(self, context: WorkflowContext) -> str:
        """The signed token in the address; see `WorkflowContext.webhook_token`."""
        return context.webhook_token(self.name)

    def get_callback_url(self, context: WorkflowContext) -> str:
        """The address to be called; see `WorkflowContext.webhook_url`."""
        return context.webhook_url(self.name)


def read_webhook(name: str, step: Any, report: Report) -> tuple[WebhookNode, StepCode]:
    """The node and the code of a webhook step."""
    report.refuse_hooks(name, step, "webhook step", "execute", "can_execute", "on_success", "on_failure")
    node = WebhookNode(
        payload_schema=read_schema(getattr(step, "payload_schema", None), name, "payload_schema", report),
        into=getattr(step, "into", None),
    )
    return node, StepCode(step=step)
