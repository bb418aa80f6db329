"""Use case: a call from outside arrives at the signed address of a webhook step."""

from __future__ import annotations

from typing import Any

from workflows_core.domain.commands import Command, ReceiveWebhook
from workflows_core.domain.forms import validate_document
from workflows_core.domain.graph import WebhookNode
from workflows_core.domain.payload import encode_value
from workflows_core.engine.instances import WorkflowInstance, to_instance
from workflows_core.engine.programs import LoadedProgram
from workflows_core.engine.requests import Requests
from workflows_core.engine.settings import EngineSettings
from workflows_core.engine.signatures import WebhookAddress, verify_webhook
from workflows_core.errors import (
    InputValidationError,
    InstanceFinishedError,
    InstanceNotFoundError,
    WebhookAlreadyUsedError,
    WebhookNotFoundError,
)
from workflows_core.ports.codec import PayloadCodec
from workflows_core.ports.store import Loaded

__all__ = ["Webhooks"]


class Webhooks:
    """Takes webhook calls."""

    def __init__(self, *, requests: Requests, codec: PayloadCodec, settings: EngineSettings) -> None:
        self._requests = requests
        self._codec = codec
        self._settings = settings

    async def receive(self, token: str, payload: Any) -> WorkflowInstance:
        """Take one call; see `WorkflowEngine.receive_webhook`."""
        address = verify_webhook(self._settings.secret, token)
        raw = encode_value("payload", payload, self._codec.encode)

        def command(found: Loaded, loaded: LoadedProgram) -> Command:
            _check_payload(loaded, address, token, payload)
            return ReceiveWebhook(
                scope=address.scope, step=address.step, visit=address.visit, payload=raw, now=found.at
            )

        try:
            state, at = await self._requests.apply(
                address.instance_id, command, actor="webhook", scopes=(address.scope,)
            )
        except InstanceNotFoundError:
            raise WebhookNotFoundError(token) from None
        except InstanceFinishedError:
            raise WebhookAlreadyUsedError(address.instance_id, address.step) from None
        return to_instance(state, self._codec, updated_at=at)


def _check_payload(loaded: LoadedProgram, address: WebhookAddress, token: str, payload: Any) -> None:
    node = loaded.program.graph.nodes.get(address.step)
    if node is None or not isinstance(node.kind, WebhookNode):
        raise WebhookNotFoundError(token)
    if node.kind.payload_schema is not None:
        problems = validate_document(node.kind.payload_schema, payload)
        if problems:
            raise InputValidationError(f"payload of webhook {address.step!r}", problems)
