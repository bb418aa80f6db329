"""The default codec: JSON, with tags for what JSON cannot say."""

from __future__ import annotations

from typing import Any

from workflows_core.domain.payload import decode_value, encode_payload
from workflows_core.ports.codec import PayloadCodec

__all__ = ["JsonCodec"]


class JsonCodec(PayloadCodec):
    """Encodes payloads as readable JSON; the format is described in `workflows_core.domain.payload_encoding`."""

    __slots__ = ()

    def encode(self, value: Any) -> bytes:
        return encode_payload(value)

    def decode(self, raw: bytes) -> Any:
        return decode_value(raw)
