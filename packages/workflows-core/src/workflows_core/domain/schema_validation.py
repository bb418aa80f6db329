"""Validates documents against schemas: compiled once for each schema, with every problem as a place and plain words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from typing import Any, Final, NamedTuple

import jsonschema_rs
import msgspec

from workflows_core.domain.closed_schemas import close_objects
from workflows_core.domain.form_messages import message_of, options_message, type_message
from workflows_core.domain.schema_checks import MAX_SCHEMA_BYTES, TOO_DEEP, SchemaProblem, compile_schema, find_problems
from workflows_core.domain.schema_structure import find_anchors, pointer_to, schemas_of_same_value, unescaped, value_at
from workflows_core.errors import DefinitionError

__all__ = ["FieldProblem", "InvalidSchemaError", "check_schema", "problems_of"]

_MAX_PROBLEMS: Final = 100
_CACHED_SCHEMAS: Final = 256
_UNEXPECTED: Final = "is not expected here"


class FieldProblem(msgspec.Struct, frozen=True):
    """One fault of submitted data.

    Attributes:
        pointer: The field, as a JSON pointer (``/lines/0/price``); empty for the data as a whole. For a required field that is
            absent: where it should be.
        message: What is wrong, as a phrase that follows the name of the field.
        keyword: The keyword of the schema that refused it, for programs.
    """

    pointer: str
    message: str
    keyword: str

    def __str__(self) -> str:
        return f"{self.pointer or '/'}: {self.message}"


class InvalidSchemaError(DefinitionError):
    """Raised when data are to be validated against a schema that is itself wrong; `problems` lists its faults."""

    def __init__(self, problems: Iterable[SchemaProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return f"the schema cannot be used: {'; '.join(map(str, self.problems))}"


class _Compiled(NamedTuple):
    schema: Any
    validator: jsonschema_rs.Validator | None
    problems: tuple[SchemaProblem, ...]


def check_schema(schema: Any, *, is_form: bool) -> list[SchemaProblem]:
    """List what is wrong with a schema; empty if data can be validated against it."""
    try:
        return list(_compiled(schema, is_form=is_form).problems)
    except _UnreadableError as error:
        return [SchemaProblem("", str(error))]


def problems_of(schema: Any, data: Any, *, is_form: bool) -> list[FieldProblem]:
    """List what is wrong with data, at most 100 problems, in the order of the places.

    Raises:
        InvalidSchemaError: The schema is wrong.
    """
    try:
        compiled, validator, faults = _compiled(schema, is_form=is_form)
    except _UnreadableError as error:
        raise InvalidSchemaError([SchemaProblem("", str(error))]) from error
    if validator is None:
        raise InvalidSchemaError(faults)
    try:
        plain = _plain(data)
        if validator.is_valid(plain):
            return []
        report = _Report(compiled, plain)
        found = list(islice(report.problems(validator.iter_errors(plain)), _MAX_PROBLEMS))
    except RecursionError:
        return [FieldProblem("", "is nested too deeply", "type")]
    except (TypeError, ValueError, OverflowError) as error:
        return [FieldProblem("", f"cannot be written as JSON: {error}", "type")]
    return sorted(report.without_echoes(found), key=lambda problem: problem.pointer)


class _UnreadableError(Exception):
    """A schema that cannot be written as JSON, or is too large."""


def _compiled(schema: Any, *, is_form: bool) -> _Compiled:
    try:
        raw = msgspec.json.encode(schema)
    except RecursionError as error:
        raise _UnreadableError(TOO_DEEP) from error
    except (TypeError, ValueError, OverflowError) as error:
        raise _UnreadableError(f"the schema cannot be written as JSON: {error}") from error
    if len(raw) > MAX_SCHEMA_BYTES:
        raise _UnreadableError(f"the schema has {len(raw)} bytes, more than {MAX_SCHEMA_BYTES}; make it smaller")
    return _compile(raw, is_form)


@lru_cache(maxsize=_CACHED_SCHEMAS)
def _compile(raw: bytes, is_form: bool) -> _Compiled:  # noqa: FBT001  positional for the cache
    schema = msgspec.json.decode(raw)
    problems = find_problems(schema, is_form=is_form)
    if problems:
        return _Compiled(schema, None, tuple(problems))
    used = close_objects(schema) if is_form else schema
    return _Compiled(used, compile_schema(used), ())


def _plain(data: Any) -> Any:
    """Data as JSON has them, but decimals as they are: they count as numbers, and as text too."""
    return msgspec.to_builtins(data, builtin_types=(Decimal,), str_keys=True, enc_hook=str)


class _Report:
    """Turns errors about one document into problems."""

    def __init__(self, schema: Any, data: Any) -> None:
        self._schema = schema
        self._data = data
        self._declared: dict[str, frozenset[str]] = {}

    def problems(self, errors: Iterable[jsonschema_rs.ValidationError]) -> Iterator[FieldProblem]:
        for error in errors:
            yield from self._problems(error)

    def _problems(self, error: jsonschema_rs.ValidationError) -> list[FieldProblem]:
        details = error.kind.as_dict()
        keyword = error.kind.name
        place = error.instance_path
        if keyword in {"additionalProperties", "unevaluatedProperties"}:
            return self._unexpected(error, details["unexpected"])
        if keyword == "falseSchema" and error.schema_path[-1] == "additionalProperties":
            return self._unexpected(error, list(value_at(self._data, place)))
        if keyword == "required":
            return [FieldProblem(pointer_to([*place, details["property"]]), message_of(error), keyword)]
        if keyword == "type" and "string" in details["types"] and isinstance(value_at(self._data, place), Decimal):
            return []
        if details.get("context") and not isinstance(error.kind, jsonschema_rs.ValidationErrorKind.OneOfMultipleValid):
            return self._alternatives(error, details["context"])
        return [FieldProblem(pointer_to(place), message_of(error), keyword)]

    def _unexpected(self, error: jsonschema_rs.ValidationError, names: list[str]) -> list[FieldProblem]:
        keyword = str(error.schema_path[-1])
        if keyword == "unevaluatedProperties":
            self._declared[pointer_to(error.instance_path)] = self._names_declared_beside(error.schema_path)
        return [FieldProblem(pointer_to([*error.instance_path, name]), _UNEXPECTED, keyword) for name in names]

    def _names_declared_beside(self, schema_path: list[str | int]) -> frozenset[str]:
        schema = value_at(self._schema, schema_path[:-1])
        described = schemas_of_same_value(self._schema, find_anchors(self._schema), schema)
        return frozenset(name for each in described for name in each.get("properties", ()))

    def without_echoes(self, problems: list[FieldProblem]) -> list[FieldProblem]:
        """Drop repetitions, and what only follows from another problem.

        When a schema beside ``unevaluatedProperties`` does not hold, the fields that it declares count as unevaluated too.
        """
        return [problem for problem in dict.fromkeys(problems) if not self._is_echo(problem, problems)]

    def _is_echo(self, problem: FieldProblem, problems: list[FieldProblem]) -> bool:
        parent, _, name = problem.pointer.rpartition("/")
        if problem.keyword != "unevaluatedProperties" or unescaped(name) not in self._declared.get(parent, ()):
            return False
        inside = [each for each in problems if each.pointer == parent or each.pointer.startswith(f"{parent}/")]
        return any(each.message != _UNEXPECTED or each.pointer.rpartition("/")[0] != parent for each in inside)

    def _alternatives(
        self, error: jsonschema_rs.ValidationError, alternatives: list[list[jsonschema_rs.ValidationError]]
    ) -> list[FieldProblem]:
        """Tell about the alternative that the value was meant for, if its type leaves only one."""
        pointer = pointer_to(error.instance_path)
        reports = [list(self.problems(errors)) for errors in alternatives]
        if not all(reports):
            return []
        meant = [report for report in reports if not _has_other_type(report, pointer)]
        if len(meant) == 1:
            return meant[0]
        if not meant:
            return [FieldProblem(pointer, type_message(_expected_types(error)), "type")]
        errors = [each for alternative in alternatives for each in alternative]
        if all(each.kind.name == "const" for each in errors):
            options = [each.kind.as_dict()["expected_value"] for each in errors]
            return [FieldProblem(pointer, options_message(options), "enum")]
        return [FieldProblem(pointer, message_of(error), error.kind.name)]


def _expected_types(error: jsonschema_rs.ValidationError) -> list[str]:
    """All types that the alternatives take, those of alternatives in alternatives too."""
    details = error.kind.as_dict()
    if error.kind.name == "type":
        return list(details["types"])
    inner = [
        each for errors in details.get("context", ()) for each in errors if each.instance_path == error.instance_path
    ]
    return list(dict.fromkeys(name for each in inner for name in _expected_types(each)))


def _has_other_type(report: list[FieldProblem], pointer: str) -> bool:
    return any(problem.keyword == "type" and problem.pointer == pointer for problem in report)
