"""What is not stored as it is: subclasses, which are reduced to their base value, and everything that is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence, Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

import msgspec

__all__ = ["UnstorableError", "base_value", "is_valid_text", "path_of_surrogate"]

_TYPED: Final = "declare it in a typed state or store msgspec.to_builtins(value)"


class UnstorableError(Exception):
    """A value that cannot be stored; its path is filled from the inside out while it travels."""

    def __init__(self, value: Any, hint: str, path: Iterable[object] = ()) -> None:
        super().__init__(value, hint)
        self.type_name = type(value).__name__
        self.hint = hint
        self.path = list(path)

    @property
    def pointer(self) -> str:
        """The path as a JSON pointer."""
        return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in reversed(self.path))


def _base_datetime(value: datetime) -> datetime:
    parts = (value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond)
    return datetime(*parts, tzinfo=value.tzinfo, fold=value.fold)


def _base_time(value: time) -> time:
    return time(value.hour, value.minute, value.second, value.microsecond, tzinfo=value.tzinfo, fold=value.fold)


_BASE_VALUES: Final[Mapping[type, Callable[[Any], Any]]] = {
    str: str.__str__,
    int: int.__int__,
    float: float.__float__,
    datetime: _base_datetime,  # before date, of which it is a subclass
    date: lambda value: date(value.year, value.month, value.day),
    time: _base_time,
    timedelta: lambda value: timedelta(value.days, value.seconds, value.microseconds),
    Decimal: Decimal,
    UUID: lambda value: UUID(int=value.int),
    bytes: lambda value: bytes(memoryview(value)),
}

_LOSSY: Final = frozenset({datetime, date, time, timedelta})


def base_value(value: Any) -> Any:
    """Reduce an instance of a subclass (``StrEnum``, a driver's UUID) to its base value; refuse all else.

    Raises:
        UnstorableError: It is no such instance, or it is worth more than its base value.
    """
    for base, reduce_to in _BASE_VALUES.items():
        if isinstance(value, base):
            return _reduced(value, base, reduce_to)
    hint = next((hint for test, hint in _HINTS if test(value)), f"store what it holds, or {_TYPED}")
    raise UnstorableError(value, hint)


def _reduced(value: Any, base: type, reduce_to: Callable[[Any], Any]) -> Any:
    try:
        reduced = reduce_to(value)
    except (TypeError, ValueError):
        raise UnstorableError(value, f"it is no {base.__name__}; store None or text") from None
    if base in _LOSSY and reduced != value:
        raise UnstorableError(value, f"it is more than the {base.__name__} {reduced}; store that, or text")
    return reduced


def _is_instance_of(*types: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, types)


_HINTS: Final[Sequence[tuple[Callable[[Any], bool], str]]] = (
    (lambda value: isinstance(value, msgspec.Struct) or dataclasses.is_dataclass(value), _TYPED),
    (_is_instance_of(type), "store its name"),
    (_is_instance_of(Enum), "store its .value"),
    (_is_instance_of(Awaitable), "await it first"),
    (_is_instance_of(bytearray, memoryview), "store bytes(value)"),
    (_is_instance_of(tuple), "store tuple(value)"),
    (_is_instance_of(Mapping), "store dict(value)"),
    (_is_instance_of(AbstractSet), "store set(value)"),
    (_is_instance_of(Iterable), "store list(value)"),
)


def path_of_surrogate(value: Any) -> list[object] | None:
    """Find where the first text is that cannot be encoded, from the inside out."""
    if isinstance(value, str):
        return None if is_valid_text(value) else []
    if isinstance(value, dict):
        items: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, (list, tuple)):
        items = enumerate(value)
    else:
        return None
    for key, item in items:
        if isinstance(key, str) and not is_valid_text(key):
            return []
        if (path := path_of_surrogate(item)) is not None:
            return [*path, key]
    return None


def is_valid_text(value: str) -> bool:
    """Whether text can be encoded: it has no lone surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
