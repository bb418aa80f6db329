"""Where the schemas inside of a JSON Schema (draft 2020-12) are, and what its references point at.

Only places that hold schemas are entered: what stands under ``const``, ``enum``, ``default`` or ``examples`` is data.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote

__all__ = [
    "Place",
    "children",
    "find_anchors",
    "pointer_to",
    "resolve",
    "schemas_of_same_value",
    "unescaped",
    "value_at",
    "walk",
]

Place = tuple[str | int, ...]
"""Keys and indexes that lead to a part of a document."""

_MAPS: Final = ("$defs", "definitions", "dependentSchemas", "patternProperties", "properties")
_LISTS: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
_SINGLES: Final = (
    "additionalProperties",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
)
_SAME_VALUE: Final = frozenset({"allOf", "anyOf", "dependentSchemas", "else", "if", "oneOf", "then"})


def pointer_to(place: Place | list[str | int]) -> str:
    """The JSON pointer of a place (RFC 6901); empty for the whole document."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in place)


def unescaped(part: str) -> str:
    """One part of a JSON pointer as the key that it stands for."""
    return part.replace("~1", "/").replace("~0", "~")


def value_at(document: Any, place: Place | list[str | int]) -> Any:
    """What stands at a place of a document; None if there is no such place."""
    for part in place:
        try:
            document = document[part]
        except (KeyError, IndexError, TypeError):
            return None
    return document


def children(schema: dict[str, Any]) -> Iterator[tuple[Place, Any]]:
    """The schemas directly inside of a schema, with the places where they stand in it."""
    for keyword in _MAPS:
        if isinstance(inner := schema.get(keyword), dict):
            yield from (((keyword, name), child) for name, child in inner.items())
    for keyword in _LISTS:
        if isinstance(inner := schema.get(keyword), list):
            yield from (((keyword, index), child) for index, child in enumerate(inner))
    for keyword in _SINGLES:
        if keyword in schema:
            yield (keyword,), schema[keyword]


def walk(root: Any) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Every schema of a document that is an object, from the outside in, with its place."""
    pending: list[tuple[Place, Any]] = [((), root)]
    while pending:
        place, schema = pending.pop()
        if isinstance(schema, dict):
            yield place, schema
            pending.extend((place + inner, child) for inner, child in children(schema))


def find_anchors(root: Any) -> dict[str, Any]:
    """Schemas by their ``$anchor``."""
    return {anchor: schema for _, schema in walk(root) if isinstance(anchor := schema.get("$anchor"), str)}


def resolve(root: Any, anchors: dict[str, Any], reference: str) -> Any:
    """What a local reference (``#/$defs/address``, ``#address``, ``#``) points at; None if there is nothing."""
    fragment = unquote(reference.removeprefix("#"))
    if fragment and not fragment.startswith("/"):
        return anchors.get(fragment)
    target = root
    for part in map(unescaped, fragment.split("/")[1:]):
        target = value_at(target, [int(part) if isinstance(target, list) and part.isdecimal() else part])
    return target


def schemas_of_same_value(root: Any, anchors: dict[str, Any], schema: Any) -> Iterator[dict[str, Any]]:
    """A schema, and all that it applies to the very same value: by reference, ``allOf``, ``anyOf``, ``if`` and the like."""
    pending, seen = [schema], set[int]()
    while pending:
        current = pending.pop()
        if not isinstance(current, dict) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        pending.extend(child for place, child in children(current) if place[0] in _SAME_VALUE)
        if isinstance(reference := current.get("$ref"), str):
            pending.append(resolve(root, anchors, reference))
