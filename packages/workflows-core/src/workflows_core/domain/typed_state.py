"""Typed state: the data of an instance seen as one msgspec Struct or dataclass.

The fields of the type are the top-level keys of the data. Dates, decimals, UUIDs and bytes stay what they are on the way, so
encoding and decoding a state gives an equal one. Keys that the type does not know belong to others (``forms``, say) and are left
alone.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec

from workflows_core.domain.payload_encoding import encode_payload
from workflows_core.errors import DefinitionError, PayloadError, WorkflowsError

__all__ = ["StateTypeError", "TypedStateError", "check_state_type", "decode_state", "encode_state", "state_fields"]

StateT = TypeVar("StateT")

_PLAIN: Final = frozenset({str, int, float, bool, bytes, datetime, date, time, timedelta, Decimal, UUID})
_EXAMPLE: Final = "declare `class State(msgspec.Struct)` or a dataclass, with a type for each field"


class StateTypeError(DefinitionError):
    """Raised when a type cannot be the state of a workflow; fields: the type's name and the reason."""

    def __init__(self, type_name: str, reason: str) -> None:
        super().__init__(type_name, reason)
        self.type_name = type_name
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.type_name} cannot be the state of a workflow: {self.reason}; {_EXAMPLE}"


class TypedStateError(WorkflowsError):
    """Raised when data do not fit the type of the state; fields: the type's name and the reason, with its place."""

    def __init__(self, type_name: str, reason: str) -> None:
        super().__init__(type_name, reason)
        self.type_name = type_name
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"the data do not fit the state {self.type_name}: {self.reason}; "
            "give the field a value of its declared type, or declare a default"
        )


def check_state_type(type: Any) -> None:
    """Check that a type can be the state of a workflow; to be called when the workflow is defined.

    Raises:
        StateTypeError: It is no Struct and no dataclass, has no field names, or a field has a type without an encoding.
    """
    if not _is_state_type(type):
        raise StateTypeError(_name_of(type), "it is neither a msgspec Struct nor a dataclass")
    if issubclass(type, msgspec.Struct) and type.__struct_config__.array_like:
        raise StateTypeError(_name_of(type), "it is encoded without field names (array_like=True)")
    try:
        msgspec.json.schema(type)
    except (TypeError, NameError) as error:
        raise StateTypeError(_name_of(type), str(error).splitlines()[-1]) from error


def state_fields(type: Any) -> frozenset[str]:
    """Top-level data keys that a state type reads and writes: its fields as encoded, and its tag if it has one."""
    if not issubclass(type, msgspec.Struct):
        return frozenset(field.name for field in dataclasses.fields(type))
    tag = type.__struct_config__.tag_field
    return frozenset({*type.__struct_encode_fields__, *([tag] if tag else [])})


def decode_state(type: type[StateT], data: Mapping[str, Any]) -> StateT:
    """Build the state from decoded data; what JSON has no type for may also be given as text, as in a request.

    Raises:
        TypedStateError: A required field is absent or a value has the wrong type; says which.
    """
    fields = state_fields(type)
    known = {key: value for key, value in data.items() if key in fields}
    return _converted(known, type)


def encode_state(state: Any) -> dict[str, Any]:
    """Take a state apart into data: its fields, with dates, decimals, UUIDs and bytes as they are.

    Inside a field of type `Any` an object becomes its fields, because nothing tells what it was.

    Raises:
        TypedStateError: It is not a state, or a field holds a value that its type does not have; says which.
    """
    type = state.__class__
    if not _is_state_type(type):
        raise TypedStateError(_name_of(type), "it is neither a msgspec Struct nor a dataclass")
    try:
        data: dict[str, Any] = _taken_apart(state)
    except (TypeError, ValueError, RecursionError, PayloadError) as error:
        raise TypedStateError(_name_of(type), str(error)) from error
    _converted(data, type)
    return data


def _converted(data: dict[str, Any], type: type[StateT]) -> StateT:
    try:
        return msgspec.convert(data, type, str_keys=True)
    except (msgspec.ValidationError, RecursionError) as error:
        raise TypedStateError(_name_of(type), str(error)) from error


def _taken_apart(value: Any) -> Any:
    """Turn objects into mappings and leave the rest as it is; sets stay sets, so that their encoding has one order."""
    kind = type(value)
    if kind in _PLAIN or value is None:
        return value
    if kind is dict:
        return {_text_key(key): _taken_apart(item) for key, item in value.items()}
    if kind is list or kind is tuple:
        return kind(map(_taken_apart, value))
    if kind is set or kind is frozenset:
        return _set_taken_apart(value)
    if isinstance(value, msgspec.Struct):
        return _struct_taken_apart(value)
    if isinstance(value, Enum):
        return _taken_apart(value.value)
    if dataclasses.is_dataclass(value):
        return _entries((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
    return msgspec.to_builtins(value)


def _set_taken_apart(value: set[Any] | frozenset[Any]) -> Any:
    items = [_taken_apart(item) for item in value]
    try:
        return type(value)(items)
    except TypeError:  # an item became a mapping, so the set becomes a list
        return sorted(items, key=encode_payload)


def _struct_taken_apart(value: msgspec.Struct) -> Any:
    config = value.__struct_config__
    entries = [
        (name, getattr(value, field))
        for field, name in zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
    ]
    if config.tag_field is not None:
        entries.insert(0, (config.tag_field, config.tag))
    return tuple(_taken_apart(item) for _, item in entries) if config.array_like else _entries(entries)


def _entries(entries: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    return {name: _taken_apart(item) for name, item in entries if item is not msgspec.UNSET}


def _text_key(key: Any) -> Any:
    return key if type(key) is str else next(iter(msgspec.to_builtins({key: None}, str_keys=True)))


def _is_state_type(type: Any) -> bool:
    return inspect.isclass(type) and (issubclass(type, msgspec.Struct) or dataclasses.is_dataclass(type))


def _name_of(type: Any) -> str:
    return str(getattr(type, "__qualname__", type))
