"""Typed state: the data of an instance seen as one msgspec Struct or dataclass.

The fields of the type are the top-level keys of the data. Dates, decimals, UUIDs and bytes stay what they are on the way, so
encoding and decoding a state gives an equal one. Keys that the type does not know belong to others (``forms``, say) and are left
alone.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec

from workflows_core.errors import DefinitionError, WorkflowsError

__all__ = ["StateTypeError", "TypedStateError", "check_state_type", "decode_state", "encode_state", "state_fields"]

StateT = TypeVar("StateT")

_NATIVE: Final = (bytes, datetime, date, time, timedelta, Decimal, UUID)
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

    Inside a field of type `Any`, a set becomes a list and an object its fields, because nothing tells what they were.

    Raises:
        TypedStateError: It is not a state, or a field holds a value that its type does not have; says which.
    """
    type = state.__class__
    if not _is_state_type(type):
        raise TypedStateError(_name_of(type), "it is neither a msgspec Struct nor a dataclass")
    try:
        data: dict[str, Any] = _taken_apart(state)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypedStateError(_name_of(type), str(error)) from error
    _converted(data, type)
    return data


def _converted(data: dict[str, Any], type: type[StateT]) -> StateT:
    try:
        return msgspec.convert(data, type, str_keys=True)
    except (msgspec.ValidationError, RecursionError) as error:
        raise TypedStateError(_name_of(type), str(error)) from error


def _taken_apart(state: Any) -> Any:
    try:
        return msgspec.to_builtins(state, builtin_types=_NATIVE, str_keys=True)
    except TypeError:  # keys of a mapping are dates or the like; anything else is refused again
        return _with_text_keys(msgspec.to_builtins(state, builtin_types=_NATIVE))


def _with_text_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {_text_key(key): _with_text_keys(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_text_keys(item) for item in value]
    return value


def _text_key(key: Any) -> Any:
    return next(iter(msgspec.to_builtins({key: None}, str_keys=True)))


def _is_state_type(type: Any) -> bool:
    return inspect.isclass(type) and (issubclass(type, msgspec.Struct) or dataclasses.is_dataclass(type))


def _name_of(type: Any) -> str:
    return str(getattr(type, "__qualname__", type))
