"""The route at which other systems answer."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Controller, post
from litestar.params import Body, PathParameter

from workflows_core import (
    InputValidationError,
    PayloadError,
    PayloadTooLargeError,
    WebhookAlreadyUsedError,
    WebhookNotFoundError,
)
from workflows_litestar.dependencies import Engine
from workflows_litestar.openapi import WEBHOOKS_TAG
from workflows_litestar.problems.documentation import document_problems

__all__ = ["WebhookController"]


class WebhookController(Controller):
    """Signed addresses: who knows one may complete one wait of one instance, once."""

    path = "/webhooks"
    tags = (WEBHOOKS_TAG,)

    @post(
        "/{token:str}",
        status_code=204,
        operation_id="receiveWebhook",
        name="workflows:webhooks:receive",
        summary="Answer a waiting workflow instance",
        description="The token is the permission. A call that comes before its step is kept for it; the second call is refused.",
        response_description="Taken.",
        security=[{}],
        # The callers are programs without a session of ours: Litestar's own middleware lets these pass.
        opt={"exclude_from_auth": True, "exclude_from_csrf": True},
        responses=document_problems(
            WebhookNotFoundError,
            WebhookAlreadyUsedError,
            InputValidationError,
            PayloadError,
            PayloadTooLargeError,
            has_body=True,
            needs_actor=False,
        ),
    )
    async def receive_webhook(
        self,
        token: Annotated[str, PathParameter(max_length=2000, description="Signed token of the address.")],
        data: Annotated[Any, Body(description="Any JSON that satisfies the step's payload schema.")],
        workflow_engine: Engine,
    ) -> None:
        """Take a call from outside."""
        await workflow_engine.receive_webhook(token, data)
