"""Forms of human tasks: is the schema right, are the submitted data right, and how to show what is not.

Schemas are JSON Schema, draft 2020-12, with formats checked. A form is *closed*: a field that its schema does not name is refused,
unless the object says ``additionalProperties`` itself. Documents (initial data of a workflow, payloads of webhooks) are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from workflows_core.domain.schema_checks import SchemaProblem
from workflows_core.domain.schema_structure import unescaped
from workflows_core.domain.schema_validation import FieldProblem, InvalidSchemaError, check_schema, problems_of

__all__ = [
    "FieldProblem",
    "InvalidSchemaError",
    "SchemaProblem",
    "check_document_schema",
    "check_form_schema",
    "form_errors",
    "schema_for",
    "validate_document",
    "validate_form",
]


def check_form_schema(schema: Any) -> list[SchemaProblem]:
    """List what is wrong with the schema of a form; to be called when the definition is built.

    Refused are, beside what the standard refuses: a type other than ``object``, more than 64 KiB or 64 levels, references to other documents,
    patterns that need too much memory, forms that contain themselves or unfold to more than 10 000 schemas, other drafts.
    """
    return check_schema(schema, is_form=True)


def check_document_schema(schema: Any) -> list[SchemaProblem]:
    """List what is wrong with the schema of a document, which may have any type and may refer to itself."""
    return check_schema(schema, is_form=False)


def validate_form(schema: Mapping[str, Any] | None, data: Any) -> list[FieldProblem]:
    """List what is wrong with the data of a form, by field; empty if they may be accepted.

    Args:
        schema: The schema of the form; None accepts any object.
        data: What was submitted. Dates, UUIDs and the like count as the text that JSON has for them; a decimal counts as a number
            and as text.

    Raises:
        InvalidSchemaError: The schema itself is wrong.
    """
    return problems_of(
        {"type": "object", "additionalProperties": True} if schema is None else schema, data, is_form=True
    )


def validate_document(schema: Mapping[str, Any], data: Any) -> list[FieldProblem]:
    """List what is wrong with a document; as `validate_form`, but fields that the schema does not name are accepted.

    Raises:
        InvalidSchemaError: The schema itself is wrong.
    """
    return problems_of(schema, data, is_form=False)


def form_errors(problems: Iterable[FieldProblem]) -> dict[str, Any]:
    """Arrange problems as the form library rjsf takes them (``extraErrors``): nested like the data, messages in ``__errors``."""
    errors: dict[str, Any] = {}
    for problem in problems:
        place = errors
        for part in problem.pointer.split("/")[1:]:
            place = place.setdefault(unescaped(part), {})
        place.setdefault("__errors", []).append(problem.message)
    return errors


def schema_for(type: Any) -> dict[str, Any]:
    """Describe a Struct, dataclass or other type as a JSON Schema; what it refers to is in its own ``$defs``.

    Raises:
        TypeError: JSON Schema cannot describe the type, or the type of a field; says which.
    """
    try:
        schema = msgspec.json.schema(type)
    except NameError as error:
        raise TypeError(f"{type!r} has an annotation that cannot be read: {error}") from error
    reference = schema.get("$ref", "")
    definitions = schema.pop("$defs", {})
    name = reference.removeprefix("#/$defs/")
    if name in definitions:
        schema = {**definitions[name], **{key: value for key, value in schema.items() if key != "$ref"}}
        if reference not in _references_in(list(definitions.values())):
            del definitions[name]
    described: dict[str, Any] = _with_decimals({**schema, "$defs": definitions} if definitions else schema)
    return described


_DECIMAL: Final = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^[+-]?\d+(\.\d+)?$"}]}


def _with_decimals(value: Any) -> Any:
    """Say of decimals what is true of them: a number, or text that is one; JSON Schema has no such format."""
    if isinstance(value, dict):
        if value.get("type") == "string" and value.get("format") == "decimal":
            rest = {key: item for key, item in value.items() if key not in {"type", "format"}}
            return {**rest, **_DECIMAL}
        return {key: _with_decimals(item) for key, item in value.items()}
    return [_with_decimals(item) for item in value] if isinstance(value, list) else value


def _references_in(value: Any) -> set[str]:
    if isinstance(value, dict):
        here = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return here.union(*map(_references_in, value.values()))
    return set().union(*map(_references_in, value)) if isinstance(value, list) else set()
