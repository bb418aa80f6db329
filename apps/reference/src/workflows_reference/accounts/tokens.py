"""Session tokens: who, until when, signed. Nothing is stored, so a session ends by its time or with the secret."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["SESSION_LENGTH", "SessionTokens"]

SESSION_LENGTH: Final = timedelta(hours=12)

_PURPOSE: Final = b"workflows-demo.session.1\0"


class SessionTokens:
    """Makes and reads session tokens.

    Args:
        secret: Signs them; the same in every process that is to accept them.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def issue(self, user_id: str, *, now: datetime | None = None) -> str:
        """A token for a user, valid for `SESSION_LENGTH`."""
        end = (now or datetime.now(UTC)) + SESSION_LENGTH
        content = f"{int(end.timestamp())}:{user_id}".encode()
        return f"{_to_text(content)}.{_to_text(self._signature(content))}"

    def read(self, token: str, *, now: datetime | None = None) -> str | None:
        """The user of a token; None if it was not issued here or its time is over."""
        body, _, signature = token.partition(".")
        content = _to_bytes(body)
        if not hmac.compare_digest(self._signature(content), _to_bytes(signature)):
            return None
        end, _, user_id = content.decode().partition(":")
        return user_id if float(end) > (now or datetime.now(UTC)).timestamp() else None

    def _signature(self, content: bytes) -> bytes:
        return hmac.new(self._secret, _PURPOSE + content, hashlib.sha256).digest()


def _to_text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _to_bytes(text: str) -> bytes:
    """Decode; text of another kind gives nothing, which no signature fits."""
    try:
        return base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (UnicodeEncodeError, binascii.Error):
        return b""
