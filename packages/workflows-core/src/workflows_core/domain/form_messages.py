"""What a person is told about a field: plain words for each kind of validation error."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import jsonschema_rs

__all__ = ["message_of", "options_message", "type_message"]

_TYPES: Final[Mapping[str, str]] = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "empty",
    "number": "a number",
    "object": "an object",
    "string": "text",
}
_TYPE_ORDER: Final = tuple(_TYPES)
_FORMATS: Final[Mapping[str, str]] = {
    "date": "a date such as 2026-12-31",
    "date-time": "a date and time with time zone, such as 2026-12-31T12:00:00Z",
    "duration": "a duration such as P1DT12H",
    "email": "an e-mail address",
    "hostname": "the name of a computer on the internet",
    "idn-email": "an e-mail address",
    "ipv4": "an IPv4 address",
    "ipv6": "an IPv6 address",
    "iri": "a web address",
    "regex": "a regular expression",
    "time": "a time with time zone, such as 12:00:00Z",
    "uri": "a web address",
    "uuid": "a UUID",
}
_MOST_OPTIONS: Final = 10


def type_message(types: list[str]) -> str:
    """Say that a value must have one of these JSON types; ``null`` comes last."""
    ordered = sorted(types, key=lambda name: (name == "null", _TYPE_ORDER.index(name) if name in _TYPES else 0))
    return f"must be {' or '.join(_TYPES.get(name, name) for name in ordered)}"


def options_message(options: list[Any]) -> str:
    """Say that a value must be one of these; names the first ten."""
    shown = ", ".join(map(_show, options[:_MOST_OPTIONS]))
    rest = len(options) - _MOST_OPTIONS
    return f"must be one of: {shown}" + (f" and {rest} more" if rest > 0 else "")


def message_of(error: jsonschema_rs.ValidationError) -> str:
    """Say what is wrong with a value, as a phrase that follows the name of its field."""
    kind = error.kind
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.BacktrackLimitExceeded):
        return "takes too long to compare with the expected pattern; make it shorter"
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.OneOfMultipleValid):
        return "fits more than one of the alternatives, and must fit one"
    say = _MESSAGES.get(kind.name)
    return say(kind.as_dict()) if say else error.message


def _count(limit: int, noun: str) -> str:
    return f"{limit} {noun}" if limit != 1 else f"{limit} {_SINGULAR.get(noun, noun.removesuffix('s'))}"


_SINGULAR: Final[Mapping[str, str]] = {"entries": "entry"}


def _show(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, default=str)


def _min_length(kind: dict[str, Any]) -> str:
    return "must not be empty" if kind["limit"] == 1 else f"must have at least {_count(kind['limit'], 'characters')}"


def _min_items(kind: dict[str, Any]) -> str:
    return "must not be empty" if kind["limit"] == 1 else f"must have at least {_count(kind['limit'], 'entries')}"


def _format(kind: dict[str, Any]) -> str:
    return f"must be {_FORMATS.get(kind['format'], 'a valid ' + kind['format'])}"


_MESSAGES: Final[Mapping[str, Callable[[dict[str, Any]], str]]] = {
    "additionalItems": lambda _: "has too many entries",
    "anyOf": lambda _: "fits none of the alternatives",
    "const": lambda kind: f"must be {_show(kind['expected_value'])}",
    "contains": lambda _: "lacks an entry that is expected",
    "contentEncoding": lambda kind: f"must be encoded as {kind['content_encoding']}",
    "contentMediaType": lambda kind: f"must be {kind['content_media_type']}",
    "enum": lambda kind: options_message(kind["options"]),
    "exclusiveMaximum": lambda kind: f"must be less than {kind['limit']}",
    "exclusiveMinimum": lambda kind: f"must be more than {kind['limit']}",
    "falseSchema": lambda _: "must be left out",
    "format": _format,
    "maxItems": lambda kind: f"must have at most {_count(kind['limit'], 'entries')}",
    "maxLength": lambda kind: f"must have at most {_count(kind['limit'], 'characters')}",
    "maxProperties": lambda kind: f"must have at most {_count(kind['limit'], 'fields')}",
    "maximum": lambda kind: f"must be at most {kind['limit']}",
    "minItems": _min_items,
    "minLength": _min_length,
    "minProperties": lambda kind: f"must have at least {_count(kind['limit'], 'fields')}",
    "minimum": lambda kind: f"must be at least {kind['limit']}",
    "multipleOf": lambda kind: f"must be a multiple of {kind['multiple_of']}",
    "not": lambda _: "has a value that is not allowed",
    "oneOf": lambda _: "fits none of the alternatives",
    "pattern": lambda kind: f"must match the pattern {kind['pattern']}",
    "propertyNames": lambda kind: f"has a field {kind['error'].instance!r}, whose name {message_of(kind['error'])}",
    "required": lambda _: "is required",
    "type": lambda kind: type_message(kind["types"]),
    "unevaluatedItems": lambda _: "has entries that are not expected",
    "uniqueItems": lambda _: "must not have the same entry twice",
}
