"""What is wrong with a schema, found when the definition is built and not when somebody submits a form.

A form's schema may come from a visual builder, so it is data: it can name no address outside of itself, and its size, its
patterns and what its references unfold to are bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import jsonschema_rs
import msgspec

from workflows_core.domain.form_messages import message_of
from workflows_core.domain.schema_structure import Place, children, find_anchors, pointer_to, resolve, walk

__all__ = [
    "MAX_SCHEMA_BYTES",
    "MAX_SCHEMA_DEPTH",
    "MAX_UNFOLDED",
    "TOO_DEEP",
    "SchemaProblem",
    "compile_schema",
    "find_problems",
]

MAX_SCHEMA_BYTES: Final = 65_536
"""Largest schema, as JSON."""
MAX_SCHEMA_DEPTH: Final = 64
"""Deepest nesting of objects and lists in a schema."""
TOO_DEEP: Final = f"the schema is nested deeper than {MAX_SCHEMA_DEPTH} levels; move parts of it to $defs"
"""Said of a schema that is nested too deeply."""
MAX_UNFOLDED: Final = 10_000
"""Most schemas that a form may have after its references are followed."""

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_PATTERNS: Final = jsonschema_rs.FancyRegexOptions(backtrack_limit=100_000, size_limit=1_000_000)


class SchemaProblem(msgspec.Struct, frozen=True):
    """One fault of a schema.

    Attributes:
        pointer: Where it is in the schema, as a JSON pointer; empty for the whole schema.
        message: What is wrong, and what to write instead.
    """

    pointer: str
    message: str

    def __str__(self) -> str:
        return f"{self.pointer or '/'}: {self.message}"


def find_problems(schema: Any, *, is_form: bool) -> list[SchemaProblem]:
    """List what is wrong with a schema of plain JSON values, in the order of the places; empty if it can be used."""
    problems = _faults_by_the_standard(schema) or [
        *_faults_of_references(schema),
        *(_faults_of_a_form(schema) if is_form else ()),
    ]
    return sorted(set(problems), key=lambda problem: problem.pointer) or _faults_of_compilation(schema)


def compile_schema(schema: Any) -> jsonschema_rs.Validator:
    """Make a validator that checks formats, resolves nothing from outside and does bounded work for a pattern.

    Raises:
        jsonschema_rs.ValidationError: The schema is not valid; `find_problems` says so in plain words.
    """
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True, pattern_options=_PATTERNS, offline=True)


@cache
def _standard() -> jsonschema_rs.Validator:
    return compile_schema({"$ref": _DRAFT})


def _faults_by_the_standard(schema: Any) -> list[SchemaProblem]:
    if not isinstance(schema, dict):
        return [SchemaProblem("", 'a schema is an object; write {"type": "object", "properties": {…}}')]
    if _is_too_deep(schema):
        return [SchemaProblem("", TOO_DEEP)]
    draft = schema.get("$schema", _DRAFT)
    if draft not in {_DRAFT, f"{_DRAFT}#"}:
        return [SchemaProblem("/$schema", f"{draft} is not supported; write {_DRAFT} or leave it out")]
    return [
        SchemaProblem(pointer_to(error.instance_path), _message(error)) for error in _standard().iter_errors(schema)
    ]


def _is_too_deep(document: Any) -> bool:
    level = [document]
    for _ in range(MAX_SCHEMA_DEPTH):
        values = [each.values() if isinstance(each, dict) else each for each in level]
        level = [inner for each in values for inner in each if isinstance(inner, (dict, list))]
    return bool(level)


def _message(error: jsonschema_rs.ValidationError) -> str:
    if error.instance_path and error.instance_path[-1] == "type" and error.kind.name == "anyOf":
        known = "array, boolean, integer, null, number, object, string"
        return f"{error.instance!r} is not a type; write one of {known}, or a list of them"
    return f"the value of {error.instance_path[-1]!r} {message_of(error)}" if error.instance_path else message_of(error)


def _faults_of_references(root: dict[str, Any]) -> Iterator[SchemaProblem]:
    anchors = find_anchors(root)
    for place, schema in walk(root):
        for keyword in ("$dynamicRef", "$ref"):
            reference = schema.get(keyword)
            if reference is None:
                continue
            pointer = pointer_to((*place, keyword))
            if not reference.startswith("#"):
                yield SchemaProblem(
                    pointer, f"{reference!r} is outside of this schema; copy it into $defs and refer to #/$defs/…"
                )
            elif keyword == "$ref" and resolve(root, anchors, reference) is None:
                yield SchemaProblem(pointer, f"{reference!r} refers to nothing; define it under $defs")


def _faults_of_a_form(root: dict[str, Any]) -> Iterator[SchemaProblem]:
    if root.get("type") != "object":
        yield SchemaProblem("/type", 'the data of a form are an object; write "type": "object"')
    for place, schema in walk(root):
        for keyword in ("$dynamicRef", "$id") if place else ("$dynamicRef",):
            if keyword in schema:
                yield SchemaProblem(
                    pointer_to((*place, keyword)), f"{keyword} is not supported in a form; use $defs and $ref"
                )
    unfolding = _Unfolding(root)
    count = unfolding.count(root)
    if unfolding.is_endless:
        yield SchemaProblem("", "the form contains itself; repeat parts of it in a list instead")
    elif count > MAX_UNFOLDED:
        yield SchemaProblem("", f"the references unfold to more than {MAX_UNFOLDED} schemas; make the form simpler")


class _Unfolding:
    """Counts the schemas of a form with every reference replaced by what it points at.

    Attributes:
        is_endless: Whether a schema contains itself.
    """

    def __init__(self, root: dict[str, Any]) -> None:
        self.is_endless = False
        self._root = root
        self._anchors = find_anchors(root)
        self._counts: dict[int, int | None] = {}

    def count(self, schema: Any) -> int:
        """The number of schemas in `schema`, itself included."""
        if not isinstance(schema, dict):
            return 1
        if id(schema) not in self._counts:
            self._counts[id(schema)] = None  # being counted
            inner = [child for _, child in children(schema)]
            if "$ref" in schema:
                inner.append(resolve(self._root, self._anchors, schema["$ref"]))
            self._counts[id(schema)] = 1 + sum(map(self.count, inner))
        known = self._counts[id(schema)]
        self.is_endless |= known is None
        return known or 0


def _faults_of_compilation(schema: Any) -> list[SchemaProblem]:
    try:
        compile_schema(schema)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        place: Place = tuple(getattr(error, "instance_path", ()))
        message = getattr(error, "message", None) or str(error)
        if (place and place[-1] == "pattern") or "patternProperties" in place[-2:-1]:
            message = f"{message}, or needs too much memory; write a simpler one"
        return [SchemaProblem(pointer_to(place), message)]
    return []
