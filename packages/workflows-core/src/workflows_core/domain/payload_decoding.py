"""Bytes to values: the inverse of `payload_encoding`."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from workflows_core.domain.payload_encoding import TAG, VALUE
from workflows_core.errors import PayloadError

__all__ = ["PayloadDecodeError", "decode_value"]

_MARK: Final = b'"$type"'
_from_json: Final = msgspec.json.Decoder().decode
_DAMAGE: Final = (
    ArithmeticError,
    AttributeError,
    KeyError,
    RecursionError,
    TypeError,
    ValueError,
    msgspec.DecodeError,
)


class PayloadDecodeError(PayloadError):
    """Raised when stored bytes are not what the codec writes; they were damaged, or written by a newer version."""

    def __init__(self, key: str, reason: str, step: str = "") -> None:
        super().__init__(key, "", "bytes", reason, step)
        self.args = (key, reason, step)
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"data key {self.key!r} cannot be decoded: {self.reason}; "
            "upgrade this process if a newer version wrote it, else restore it from a backup"
        )


def decode_value(raw: bytes) -> Any:
    """Decode what `encode_value` made; each call gives a new value, that the caller may change.

    Raises:
        PayloadDecodeError: The bytes are not a payload; its `key` is empty.
    """
    try:
        value = _from_json(raw)
        return _restored(value) if _MARK in raw else value
    except _DAMAGE as error:
        raise PayloadDecodeError("", str(error) or type(error).__name__) from error


def _restored(value: Any) -> Any:
    """Replace the tagged values in a decoded one; lists and mappings are changed in place."""
    kind = type(value)
    if kind is dict:
        return _untagged(value) if TAG in value else _restored_entries(value)
    if kind is list:
        for index, item in enumerate(value):
            value[index] = _restored(item)
    return value


def _restored_entries(value: dict[str, Any]) -> dict[str, Any]:
    for key, item in value.items():
        value[key] = _restored(item)
    return value


def _untagged(value: dict[str, Any]) -> Any:
    kind = value[TAG]
    restore = _RESTORE.get(kind)
    if restore is None or len(value) != 2:
        raise ValueError(f"unknown tag {kind!r}")
    return restore(value[VALUE])


def _datetime(text: str) -> datetime:
    """Wall time and zone as they were stored; if the rules of the zone have changed since, the same instant."""
    text, zone = _without_zone(text)
    stored = datetime.fromisoformat(text)
    if zone is None:
        return stored
    for fold in (0, 1):
        local = stored.replace(tzinfo=zone, fold=fold)
        if local.utcoffset() == stored.utcoffset():
            return local
    return stored.astimezone(zone)


def _time(text: str) -> time:
    text, zone = _without_zone(text)
    stored = time.fromisoformat(text)
    return stored if zone is None else stored.replace(tzinfo=zone)


def _without_zone(text: str) -> tuple[str, ZoneInfo | None]:
    match = re.fullmatch(r"([^\[]+)(?:\[(.+)\])?", text)
    if match is None:
        raise ValueError(f"{text!r} is not a time")
    try:
        return match[1], ZoneInfo(match[2]) if match[2] else None
    except ZoneInfoNotFoundError as error:
        raise ValueError(f"time zone {match[2]!r} is not known here; install tzdata") from error


def _timedelta(parts: list[int]) -> timedelta:
    return timedelta(*parts)


def _items(value: list[Any]) -> list[Any]:
    return [_restored(item) for item in value]


_RESTORE: Final[Mapping[str, Callable[[Any], Any]]] = {
    "int": lambda text: int(text, 16),
    "datetime": _datetime,
    "date": date.fromisoformat,
    "time": _time,
    "timedelta": _timedelta,
    "decimal": Decimal,
    "uuid": UUID,
    "bytes": base64.b64decode,
    "tuple": lambda value: tuple(_items(value)),
    "set": lambda value: set(_items(value)),
    "frozenset": lambda value: frozenset(_items(value)),
    "dict": _restored_entries,
}
