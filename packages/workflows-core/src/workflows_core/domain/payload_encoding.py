"""Values to bytes: JSON, with tags for what JSON cannot say.

What JSON says exactly is plain JSON. Anything else is ``{"$type": ..., "value": ...}``, so that decoding gives back an equal
value of the same type:

=================  ===========================================================================================
``int``            hexadecimal text, for integers of more than 64 bits
``datetime``       ISO 8601, with ``[Europe/Berlin]`` after it if it has a named zone; ``date`` and ``time`` likewise
                   (`fold` counts in a named zone only)
``timedelta``      days, seconds, microseconds
``decimal``        as text, with its exponent; ``uuid`` likewise
``bytes``          base64
``tuple``          its items; ``set`` and ``frozenset``: their items, sorted by their encoding
``dict``           a mapping that itself has a key ``$type``
=================  ===========================================================================================

A subclass of text, number, date and the like (``StrEnum``, a driver's UUID) is stored as its base value. Everything else is
refused, because what came back would be another thing than what was stored.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping, Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from workflows_core.domain.payload_refusals import UnstorableError, base_value, path_of_surrogate
from workflows_core.errors import PayloadError

__all__ = ["MAX_DEPTH", "TAG", "VALUE", "encode_payload"]

MAX_DEPTH: Final = 100
"""Deepest nesting of lists, mappings and the like in one value."""
TAG: Final = "$type"
"""Key that marks a tagged value; its entry names the type."""
VALUE: Final = "value"
"""Key of what a tagged value holds."""

_SMALLEST: Final = -(2**63)
_LARGEST: Final = 2**64 - 1
_FINITE: Final = "NaN and Infinity have no encoding; store None or text"
_SURROGATE: Final = "it contains a lone surrogate, which is not valid text; decode it with errors='replace'"
_TOO_DEEP: Final = f"it is nested deeper than {MAX_DEPTH} levels, or contains itself; store a flatter value"

_to_json: Final = msgspec.json.Encoder().encode
_Plain: TypeAlias = Callable[[Any, int], Any]


def encode_payload(value: Any) -> bytes:
    """Encode a value; equal values of the same types, with mappings in the same order, give equal bytes.

    Raises:
        PayloadError: The value, or something in it, cannot be stored; its `key` is empty.
    """
    kind = type(value)
    try:
        if kind is str or kind is bool or value is None:
            return _to_json(value)
        return _to_json(_PLAIN.get(kind, _subclass)(value, 0))
    except UnstorableError as refused:
        raise PayloadError("", refused.pointer, refused.type_name, refused.hint) from None
    except UnicodeEncodeError as error:
        path = path_of_surrogate(value) or []
        raise PayloadError("", UnstorableError(value, "", path).pointer, "str", _SURROGATE) from error
    except RecursionError as error:
        raise PayloadError("", "", kind.__name__, _TOO_DEEP) from error


def _tagged(kind: str, value: Any) -> dict[str, Any]:
    return {TAG: kind, VALUE: value}


def _same(value: Any, _depth: int) -> Any:
    return value


def _int(value: int, _depth: int) -> Any:
    return value if _SMALLEST <= value <= _LARGEST else _tagged("int", format(value, "x"))


def _float(value: float, _depth: int) -> Any:
    if not math.isfinite(value):
        raise UnstorableError(value, _FINITE)
    return value


def _decimal(value: Decimal, _depth: int) -> Any:
    if not value.is_finite():
        raise UnstorableError(value, _FINITE)
    return _tagged("decimal", str(value))


def _uuid(value: UUID, _depth: int) -> Any:
    return _tagged("uuid", str(value))


def _bytes(value: bytes, _depth: int) -> Any:
    return _tagged("bytes", base64.b64encode(value).decode("ascii"))


def _datetime(value: datetime, _depth: int) -> Any:
    return _tagged("datetime", value.isoformat() + _zone(value))


def _date(value: date, _depth: int) -> Any:
    return _tagged("date", value.isoformat())


def _time(value: time, _depth: int) -> Any:
    return _tagged("time", value.isoformat() + _zone(value))


def _timedelta(value: timedelta, _depth: int) -> Any:
    return _tagged("timedelta", [value.days, value.seconds, value.microseconds])


def _zone(value: datetime | time) -> str:
    zone = value.tzinfo
    return f"[{zone.key}]" if isinstance(zone, ZoneInfo) and zone.key else ""


def _list(value: list[Any], depth: int) -> Any:
    """The same list if all its items are plain, else a copy with tagged items."""
    if depth >= MAX_DEPTH:
        raise UnstorableError(value, _TOO_DEEP)
    plain = value
    index = 0
    try:
        for index, item in enumerate(value):
            kind = type(item)
            if kind is str or kind is bool or item is None:
                continue
            said = _PLAIN.get(kind, _subclass)(item, depth + 1)
            if said is not item:
                if plain is value:
                    plain = value.copy()
                plain[index] = said
    except UnstorableError as refused:
        refused.path.append(index)
        raise
    return plain


def _dict(value: dict[Any, Any], depth: int) -> Any:
    """The same mapping if everything in it is plain, else a copy with tagged values."""
    if depth >= MAX_DEPTH:
        raise UnstorableError(value, _TOO_DEEP)
    plain = value
    key: Any = ""
    try:
        for key, item in value.items():
            if type(key) is not str:
                break
            kind = type(item)
            if kind is str or kind is bool or item is None:
                continue
            said = _PLAIN.get(kind, _subclass)(item, depth + 1)
            if said is not item:
                if plain is value:
                    plain = value.copy()
                plain[key] = said
        else:
            return _tagged("dict", plain) if TAG in plain else plain
    except UnstorableError as refused:
        refused.path.append(key)
        raise
    return _dict({_key(key): item for key, item in value.items()}, depth)


def _key(key: Any) -> str:
    if isinstance(key, str):
        return str.__str__(key)
    raise UnstorableError(key, "keys of mappings are text; store str(key)", [key])


def _tuple(value: tuple[Any, ...], depth: int) -> Any:
    return _tagged("tuple", _list(list(value), depth))


def _set(value: AbstractSet[Any], depth: int) -> Any:
    if depth >= MAX_DEPTH:
        raise UnstorableError(value, _TOO_DEEP)
    items = [_PLAIN.get(type(item), _subclass)(item, depth + 1) for item in value]
    return _tagged(type(value).__name__, sorted(items, key=_to_json))


def _subclass(value: Any, depth: int) -> Any:
    base = base_value(value)
    return _PLAIN[type(base)](base, depth)


_PLAIN: Final[Mapping[type, _Plain]] = {
    type(None): _same,
    bool: _same,
    str: _same,
    int: _int,
    float: _float,
    list: _list,
    dict: _dict,
    tuple: _tuple,
    set: _set,
    frozenset: _set,
    datetime: _datetime,
    date: _date,
    time: _time,
    timedelta: _timedelta,
    Decimal: _decimal,
    UUID: _uuid,
    bytes: _bytes,
}
