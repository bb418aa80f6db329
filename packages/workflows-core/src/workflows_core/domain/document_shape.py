"""Whether decoded JSON has the shape of a struct: every deviation at once, each with its JSON pointer.

msgspec stops at the first deviation, leaves fields out that it does not know, and does not tell which entry of a mapping it means; for
an author who looks for a typing error that is too little. What a single value must look like is still for msgspec to say.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final, Union, get_args, get_origin

import msgspec

from workflows_core.domain.problems import Problem

__all__ = ["shape_problems"]

_UNIONS: Final = (Union, types.UnionType)


def shape_problems(value: Any, wanted: Any, pointer: str = "") -> Iterator[Problem]:
    """Compare a value with a type.

    Args:
        value: Decoded JSON.
        wanted: A struct, or what a field of one may be annotated with.
        pointer: JSON pointer (RFC 6901) of the value.

    Yields:
        Problems in the order of the document's fields; none if `msgspec.convert` can convert the value and loses nothing.
    """
    origin = get_origin(wanted)
    if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
        yield from _struct_problems(value, wanted, pointer)
    elif origin is dict and isinstance(value, dict):
        for key, entry in value.items():
            yield from shape_problems(entry, get_args(wanted)[1], _below(pointer, key))
    elif origin is tuple and isinstance(value, list):
        for index, entry in enumerate(value):
            yield from shape_problems(entry, get_args(wanted)[0], _below(pointer, str(index)))
    elif origin in _UNIONS:
        yield from _union_problems(value, wanted, pointer)
    else:
        yield from _value_problems(value, wanted, pointer)


def _struct_problems(value: Any, wanted: type[msgspec.Struct], pointer: str) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield _wrong_type(pointer, f"an object is expected here, not {_json_type(value)}")
        return
    fields = {field.encode_name: field for field in msgspec.structs.fields(wanted)}
    tag = wanted.__struct_config__.tag_field
    for name in value:
        if name not in fields and name != tag:
            near = get_close_matches(name, fields, n=1)
            mend = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(fields)}"
            yield Problem("unknown_field", _below(pointer, name), f"there is no field {name!r} here", mend)
    for name, field in fields.items():
        if name in value:
            yield from shape_problems(value[name], field.type, _below(pointer, name))
        elif field.required:
            yield Problem("missing_field", pointer or "document", f"the field {name!r} is missing", "add it")


def _union_problems(value: Any, wanted: Any, pointer: str) -> Iterator[Problem]:
    """For structs told apart by a tag the tag decides; for a value or null, the value."""
    members = [member for member in get_args(wanted) if member is not type(None)]
    if value is None and len(members) < len(get_args(wanted)):
        return
    if len(members) == 1:
        yield from shape_problems(value, members[0], pointer)
        return
    tags: Mapping[Any, type[msgspec.Struct]] = {member.__struct_config__.tag: member for member in members}
    field = str(members[0].__struct_config__.tag_field)
    given = value.get(field) if isinstance(value, dict) else None
    if isinstance(given, str) and given in tags:
        yield from shape_problems(value, tags[given], pointer)
    elif not isinstance(value, dict):
        yield _wrong_type(pointer, f"an object is expected here, not {_json_type(value)}")
    elif field in value:
        known = ", ".join(tags)
        yield Problem(
            "wrong_type", _below(pointer, field), f"there is no {field} {given!r} here", f"use one of {known}"
        )
    else:
        yield Problem("missing_field", pointer, f"the field {field!r} is missing", f"use one of {', '.join(tags)}")


def _value_problems(value: Any, wanted: Any, pointer: str) -> Iterator[Problem]:
    try:
        msgspec.convert(value, wanted)
    except msgspec.ValidationError as error:
        message = str(error).partition(" - at `")[0]
        yield _wrong_type(pointer, f"{message[:1].lower()}{message[1:]}".replace("`", ""))


def _wrong_type(pointer: str, message: str) -> Problem:
    return Problem("wrong_type", pointer or "document", message, "correct the value")


def _json_type(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "a text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")


def _below(pointer: str, name: str) -> str:
    return f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
