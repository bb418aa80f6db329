"""Signed addresses of webhook steps: who knows one may complete one wait of one instance, and nothing else."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from typing import Final, NamedTuple
from uuid import UUID

from workflows_core.errors import WebhookNotFoundError, WorkflowsError

__all__ = ["SecretMissingError", "WebhookAddress", "sign_webhook", "verify_webhook"]

_HEAD: Final = struct.Struct(">16sII")
_SIGNATURE_BYTES: Final = 20
_PURPOSE: Final = b"workflows.webhook.1\0"


class SecretMissingError(WorkflowsError):
    """Raised when a webhook address is wanted and the engine has no secret to sign it with."""

    def __str__(self) -> str:
        return "webhook addresses need a secret that survives restarts; set EngineSettings(secret=…) to at least 16 random bytes"


class WebhookAddress(NamedTuple):
    """What a webhook token stands for."""

    instance_id: UUID
    scope: int
    visit: int
    step: str


def sign_webhook(secret: bytes | None, address: WebhookAddress) -> str:
    """The token of an address: signature and content, safe in a URL.

    Raises:
        SecretMissingError: There is no secret.
    """
    content = _HEAD.pack(address.instance_id.bytes, address.scope, address.visit) + address.step.encode()
    return base64.urlsafe_b64encode(_signature(secret, content) + content).rstrip(b"=").decode()


def verify_webhook(secret: bytes | None, token: str) -> WebhookAddress:
    """Read a token that `sign_webhook` made.

    Raises:
        WebhookNotFoundError: The token was not made with this secret.
        SecretMissingError: There is no secret.
    """
    try:
        raw = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise WebhookNotFoundError(token) from None
    signature, content = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
    if len(content) < _HEAD.size or not hmac.compare_digest(signature, _signature(secret, content)):
        raise WebhookNotFoundError(token)
    instance, scope, visit = _HEAD.unpack_from(content)
    return WebhookAddress(UUID(bytes=instance), scope, visit, content[_HEAD.size :].decode())


def _signature(secret: bytes | None, content: bytes) -> bytes:
    if not secret:
        raise SecretMissingError
    return hmac.new(secret, _PURPOSE + content, hashlib.sha256).digest()[:_SIGNATURE_BYTES]
