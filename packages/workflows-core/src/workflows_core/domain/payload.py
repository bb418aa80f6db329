"""The data of an instance as the store keeps them: one encoded value for each top-level key.

Data are compared by their encoding, so a change is noticed however it was made, and two processes agree on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import msgspec

from workflows_core.domain.payload_decoding import PayloadDecodeError, decode_value
from workflows_core.domain.payload_encoding import encode_payload
from workflows_core.domain.payload_refusals import is_valid_text
from workflows_core.errors import PayloadError, PayloadTooLargeError

__all__ = [
    "DataChanges",
    "Decode",
    "Encode",
    "PayloadDecodeError",
    "changed_keys",
    "check_data_size",
    "data_size",
    "decode_data",
    "decode_value",
    "encode_data",
    "encode_payload",
    "encode_value",
    "to_json_value",
]

Encode: TypeAlias = Callable[[Any], bytes]
Decode: TypeAlias = Callable[[bytes], Any]


class DataChanges(NamedTuple):
    """What differs between stored data and data in hand."""

    changed: dict[str, bytes]
    """New encodings of the keys that were added or changed, in the order of the data."""
    deleted: tuple[str, ...]
    """Keys that are no longer there, in the order in which they were stored."""


def encode_value(key: str, value: Any, encode: Encode = encode_payload) -> bytes:
    """Encode the value of a data key; equal values give equal bytes.

    Args:
        key: The data key, for the message of an error.
        value: None, text, a number, a date or time, a UUID, bytes, or a list, tuple, set or mapping of these.
        encode: The codec; JSON with tags by default.

    Raises:
        PayloadError: The value, or something in it, cannot be stored; says where, and what to store instead.
    """
    try:
        return encode(value)
    except PayloadError as error:
        raise PayloadError(key, error.path, error.type_name, error.hint, error.step) from error.__cause__


def encode_data(data: Mapping[str, Any], encode: Encode = encode_payload) -> dict[str, bytes]:
    """Encode every value of the data, in their order.

    Raises:
        PayloadError: A key is not text, or a value cannot be stored; names the first such key.
    """
    return {_data_key(key): encode_value(key, value, encode) for key, value in data.items()}


def decode_data(data: Mapping[str, bytes], decode: Decode = decode_value) -> dict[str, Any]:
    """Decode every value of stored data into new values.

    Raises:
        PayloadDecodeError: The bytes of a key are not a payload; names the key.
    """
    values = {}
    for key, raw in data.items():
        try:
            values[key] = decode(raw)
        except PayloadDecodeError as error:
            raise PayloadDecodeError(key, error.reason, error.step) from error.__cause__
    return values


def changed_keys(before: Mapping[str, bytes], after: Mapping[str, Any], encode: Encode = encode_payload) -> DataChanges:
    """Find what changed since `before` was stored, changes inside of values included.

    Raises:
        PayloadError: As `encode_data`.
    """
    changed = {key: raw for key, raw in encode_data(after, encode).items() if before.get(key) != raw}
    return DataChanges(changed, tuple(key for key in before if key not in after))


def data_size(data: Mapping[str, bytes]) -> int:
    """Bytes that the data take: keys and encoded values."""
    return sum(len(key.encode()) + len(raw) for key, raw in data.items())


def check_data_size(data: Mapping[str, bytes], limit: int) -> None:
    """Refuse data that take more than `limit` bytes.

    Raises:
        PayloadTooLargeError: They do; names the largest key.
    """
    size = data_size(data)
    if size > limit:
        largest = max(data, key=lambda key: len(data[key]))
        raise PayloadTooLargeError(f"data (largest key {largest!r})", size, limit)


def to_json_value(value: Any) -> Any:
    """Turn a value into plain JSON for people and other programs to read; not meant to be decoded again.

    Dates and times become ISO 8601 text, decimals and UUIDs text, bytes base64, tuples and sets lists (sets in the order of their
    encoding); an object of another type becomes its fields, or else its text.
    """
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, Mapping):
        return {str(key): to_json_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json_value(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return [to_json_value(item) for item in sorted(value, key=encode_payload)]
    return msgspec.to_builtins(value, enc_hook=str)


def _data_key(key: Any) -> str:
    if type(key) is str and key.isascii():
        return key
    if isinstance(key, str) and is_valid_text(key):
        return str.__str__(key)
    raise PayloadError(ascii(key), "", type(key).__name__, "keys of the data are valid text; store str(key)")
