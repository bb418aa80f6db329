"""How states are kept in columns: as MessagePack, which is exact and compact; what people may want to read, as JSON.

A marking is everything of a state that has no column of its own: counters, tokens, and the scopes that belong to the instance itself.
The data of the outermost scope, and of the scope of a ``ForEach`` item, stand in a column beside it, because they change less often
than the tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
from msgspec.structs import replace

from workflows_core.domain.events import Event
from workflows_core.domain.state import ROOT, ErrorInfo, InstanceState, LastExecution, Scope
from workflows_core.domain.transition import TaskOpening
from workflows_core.domain.types import Parking
from workflows_sqlalchemy.column_types import safe_text

__all__ = [
    "NO_EVENTS",
    "Marking",
    "decode_data",
    "decode_error",
    "decode_events",
    "decode_item",
    "decode_marking",
    "decode_opening",
    "encode_data",
    "encode_error",
    "encode_events",
    "encode_item",
    "encode_marking",
    "encode_opening",
]

T = TypeVar("T")


class Marking(msgspec.Struct, frozen=True, array_like=True):
    """What is stored of a state beside its columns; the outermost scope comes first, without its data."""

    counter: int
    started_at: datetime | None
    scopes: tuple[Scope, ...]
    last: dict[str, LastExecution]
    buffered: dict[str, bytes]
    parked: Parking | None = None
    has_deadline: bool = False
    signals: dict[str, tuple[bytes, ...]] = {}
    signal_keys: tuple[str, ...] = ()
    priority: int = 0
    awaits_slot: bool = False


_msgpack: Final = msgspec.msgpack.Encoder().encode
_json: Final = msgspec.json.Encoder().encode
_read_marking: Final = msgspec.msgpack.Decoder(Marking).decode
_read_scopes: Final = msgspec.msgpack.Decoder(tuple[Scope, ...]).decode
_read_data: Final = msgspec.msgpack.Decoder(dict[str, bytes]).decode
_read_opening: Final = msgspec.msgpack.Decoder(TaskOpening).decode
_read_events: Final = msgspec.json.Decoder(list[Event]).decode
_read_error: Final = msgspec.json.Decoder(ErrorInfo).decode


def encode_marking(state: InstanceState) -> bytes:
    """The marking of a state, without the scopes that are stored with their item."""
    root = state.scopes[ROOT]
    outermost = replace(root, data=None)
    inner = [scope for scope in state.scopes.values() if scope.home == ROOT and scope.id != ROOT]
    marking = Marking(
        state.counter,
        state.started_at,
        (outermost, *inner),
        state.last,
        state.buffered,
        state.parked,
        state.has_deadline,
        state.signals,
        state.signal_keys,
        state.priority,
        state.awaits_slot,
    )
    return _encode(_msgpack, marking)


def decode_marking(raw: bytes) -> Marking:
    """Read what `encode_marking` wrote."""
    return _read_marking(raw)


def encode_data(data: Mapping[str, bytes]) -> bytes:
    """Encoded values by key."""
    return _encode(_msgpack, data)


def decode_data(raw: bytes) -> dict[str, bytes]:
    """Read what `encode_data` wrote."""
    return _read_data(raw)


def encode_item(item: Scope, state: InstanceState) -> bytes | None:
    """The scope of an active item and the scopes inside it, without the item's own data; None for one that is not active."""
    if not item.tokens:
        return None
    inner = [scope for scope in state.scopes.values() if scope.home == item.id and scope.id != item.id]
    return _encode(_msgpack, (replace(item, data=None), *inner))


def decode_item(marking: bytes, data: bytes | None) -> tuple[Scope, ...]:
    """The scope of an item, with its data, and the scopes inside it."""
    item, *inner = _read_scopes(marking)
    return (replace(item, data=decode_data(data) if data is not None else {}), *inner)


def encode_events(events: Sequence[Event]) -> bytes:
    """The events of one transition."""
    return _encode(_json, events)


NO_EVENTS: Final = b"[]"
"""The events of a transition that has none."""


def decode_events(raw: bytes) -> list[Event]:
    """Read what `encode_events` wrote."""
    return _read_events(raw)


def encode_error(error: ErrorInfo | None) -> str | None:
    """Why something failed: a JSON list of type, message, step, traceback and notes."""
    return None if error is None else _encode(_json, error).decode()


def decode_error(text: str | None) -> ErrorInfo | None:
    """Read what `encode_error` wrote."""
    return None if text is None else _read_error(text)


def encode_opening(opening: TaskOpening) -> bytes:
    """What was asked when a task was opened."""
    return _encode(_msgpack, opening)


def decode_opening(raw: bytes) -> TaskOpening:
    """Read what `encode_opening` wrote."""
    return _read_opening(raw)


def _encode(encode: Callable[[Any], bytes], value: Any) -> bytes:
    """Encode; text that is no UTF-8 (the message of an error may be anything) is made so, rather than stalling the instance."""
    try:
        return encode(value)
    except UnicodeEncodeError:
        return encode(_safe(msgspec.to_builtins(value, builtin_types=(bytes, datetime, UUID))))


def _safe(value: Any) -> Any:
    if isinstance(value, str):
        return safe_text(value)
    if isinstance(value, dict):
        return {_safe(key): _safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_safe(item) for item in value]
    return value
