"""Forms: wrong schemas are found early, wrong data are refused field by field, in words that people understand."""

from __future__ import annotations

import enum
import pickle
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from workflows_core.domain.forms import (
    FieldProblem,
    InvalidSchemaError,
    SchemaProblem,
    check_document_schema,
    check_form_schema,
    form_errors,
    schema_for,
    validate_document,
    validate_form,
)
from workflows_core.domain.schema_checks import MAX_SCHEMA_BYTES, MAX_SCHEMA_DEPTH, MAX_UNFOLDED
from workflows_core.errors import DefinitionError

FORM: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "https://example.org/review",
    "type": "object",
    "required": ["approved", "amount"],
    "properties": {
        "approved": {"type": "boolean", "title": "Approved?"},
        "amount": {"type": "number", "minimum": 0, "multipleOf": 0.01},
        "email": {"type": "string", "format": "email"},
        "colour": {"enum": ["red", "green", 3, None]},
        "note": {"type": "string", "minLength": 1, "maxLength": 10, "default": {"$ref": "not a reference"}},
        "lines": {"type": "array", "maxItems": 2, "items": {"$ref": "#/$defs/line"}},
        "address": {"$ref": "#address"},
        "labels": {"type": "object"},
    },
    "$defs": {
        "line": {
            "type": "object",
            "required": ["sku"],
            "properties": {"sku": {"type": "string"}, "a/b~c": {"type": "integer"}},
        },
        "address": {"$anchor": "address", "properties": {"city": {"type": "string"}}},
    },
}
DATA = {"approved": True, "amount": 19.99}


def form(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def told(schema: dict[str, Any], data: Any) -> list[tuple[str, str]]:
    return [(problem.pointer, problem.message) for problem in validate_form(schema, data)]


def faults(schema: Any) -> list[tuple[str, str]]:
    return [(problem.pointer, problem.message) for problem in check_form_schema(schema)]


def test_a_good_form_has_no_faults_and_takes_good_data() -> None:
    assert check_form_schema(FORM) == []
    assert validate_form(FORM, DATA) == []
    full = {
        **DATA,
        "email": "a@example.org",
        "colour": "red",
        "note": "fine",
        "lines": [{"sku": "A", "a/b~c": 1}],
        "address": {"city": "Rome"},
        "labels": {"any": "thing"},
    }
    assert validate_form(FORM, full) == []


def test_each_fault_of_the_data_is_told_at_its_field() -> None:
    problems = validate_form(
        FORM,
        {
            "amount": -1,
            "email": "nobody",
            "colour": "blue",
            "note": "",
            "lines": [{"a/b~c": "x"}, {"sku": 5}, {}],
            "address": {"city": "Rome", "zip": 1},
            "extra": 1,
        },
    )
    assert [(problem.pointer, problem.message, problem.keyword) for problem in problems] == [
        ("/address/zip", "is not expected here", "unevaluatedProperties"),
        ("/amount", "must be at least 0", "minimum"),
        ("/approved", "is required", "required"),
        ("/colour", "must be one of: red, green, 3, null", "enum"),
        ("/email", "must be an e-mail address", "format"),
        ("/extra", "is not expected here", "additionalProperties"),
        ("/lines", "must have at most 2 entries", "maxItems"),
        ("/lines/0/a~1b~0c", "must be a whole number", "type"),
        ("/lines/0/sku", "is required", "required"),
        ("/lines/1/sku", "must be text", "type"),
        ("/lines/2/sku", "is required", "required"),
        ("/note", "must not be empty", "minLength"),
    ]
    assert str(problems[0]) == "/address/zip: is not expected here"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ({"type": "string"}, 1, "must be text"),
        ({"type": "number"}, "1", "must be a number"),
        ({"type": "integer"}, 1.5, "must be a whole number"),
        ({"type": "boolean"}, "yes", "must be true or false"),
        ({"type": "array"}, {}, "must be a list"),
        ({"type": "object"}, [], "must be an object"),
        ({"type": "null"}, 1, "must be empty"),
        ({"type": ["null", "integer"]}, "x", "must be a whole number or empty"),
        ({"type": ["string", "number"]}, [], "must be a number or text"),
        ({"const": "yes"}, "no", "must be yes"),
        ({"const": ""}, "no", 'must be ""'),
        ({"enum": list(range(12))}, 20, "must be one of: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"),
        ({"minLength": 1}, "", "must not be empty"),
        ({"minLength": 3}, "ab", "must have at least 3 characters"),
        ({"maxLength": 1}, "ab", "must have at most 1 character"),
        ({"pattern": "^[A-Z]+$"}, "ab", "must match the pattern ^[A-Z]+$"),
        ({"pattern": r"^(?=.*\d).{4,}$"}, "abcd", r"must match the pattern ^(?=.*\d).{4,}$"),
        ({"format": "date"}, "1.2.2026", "must be a date such as 2026-12-31"),
        ({"format": "date-time"}, "2026-01-01", "must be a date and time with time zone, such as 2026-12-31T12:00:00Z"),
        ({"format": "uri"}, "a b", "must be a web address"),
        ({"format": "json-pointer"}, "x", "must be a valid json-pointer"),
        ({"exclusiveMinimum": 0}, 0, "must be more than 0"),
        ({"exclusiveMaximum": 5}, 5, "must be less than 5"),
        ({"maximum": 5}, 6, "must be at most 5"),
        ({"multipleOf": 0.5}, 0.7, "must be a multiple of 0.5"),
        ({"minItems": 1}, [], "must not be empty"),
        ({"minItems": 2}, [1], "must have at least 2 entries"),
        ({"maxItems": 1}, [1, 2], "must have at most 1 entry"),
        ({"uniqueItems": True}, [1, 1], "must not have the same entry twice"),
        ({"contains": {"type": "string"}}, [1], "lacks an entry that is expected"),
        ({"minProperties": 2}, {"a": 1}, "must have at least 2 fields"),
        ({"maxProperties": 1}, {"a": 1, "b": 2}, "must have at most 1 field"),
        ({"not": {"type": "string"}}, "x", "has a value that is not allowed"),
        (
            {"propertyNames": {"maxLength": 1}},
            {"abc": 1},
            "has a field 'abc', whose name must have at most 1 character",
        ),
        (False, 1, "must be left out"),
        ({"anyOf": [{"type": "number"}, {"type": "null"}]}, "x", "must be a number or empty"),
        ({"anyOf": [{"type": "number", "minimum": 3}, {"type": "null"}]}, 1, "must be at least 3"),
        (
            {"anyOf": [{"anyOf": [{"type": "number"}, {"type": "string"}]}, {"type": "null"}]},
            [],
            "must be a number or text or empty",
        ),
        ({"oneOf": [{"const": "a", "title": "A"}, {"const": "b", "title": "B"}]}, "c", "must be one of: a, b"),
        ({"oneOf": [{"minimum": 1}, {"maximum": 10}]}, 5, "fits more than one of the alternatives, and must fit one"),
        ({"oneOf": [{"pattern": "^a"}, {"pattern": "^b"}]}, "c", "fits none of the alternatives"),
        ({"anyOf": [{"pattern": "^a"}, {"minLength": 5}]}, "c", "fits none of the alternatives"),
        ({"contentEncoding": "base64"}, "*", None),
    ],
)
def test_messages_are_plain_words(field: Any, value: Any, message: str | None) -> None:
    assert told(form(field=field), {"field": value}) == ([("/field", message)] if message else [])


def test_a_field_that_another_one_requires_is_pointed_at() -> None:
    schema = {**form(a={}, b={}), "dependentRequired": {"a": ["b"]}}
    assert told(schema, {"a": 1}) == [("/b", "is required")]


def test_entries_that_are_not_expected_are_pointed_at() -> None:
    assert told(form(a={"prefixItems": [{}], "items": False}), {"a": [1, 2]}) == [("/a/1", "must be left out")]
    assert told(form(a={"prefixItems": [{}], "unevaluatedItems": False}), {"a": [1, 2]}) == [
        ("/a", "has entries that are not expected")
    ]


def test_the_data_must_be_an_object() -> None:
    assert told(FORM, []) == [("", "must be an object")]
    assert told(FORM, None) == [("", "must be an object")]


def test_a_task_without_a_form_takes_any_object() -> None:
    assert validate_form(None, {"any": {"thing": 1}}) == []
    assert [problem.message for problem in validate_form(None, "text")] == ["must be an object"]


class TestFieldsThatTheSchemaDoesNotName:
    def test_they_are_refused_at_every_level(self) -> None:
        schema = form(
            a=form(b={"type": "string"}),
            rows={"type": "array", "items": form(c={})},
            pair={"prefixItems": [form(d={})]},
            extra={"additionalProperties": form(e={})},
        )
        data = {"x": 1, "a": {"x": 1}, "rows": [{}, {"x": 1}], "pair": [{"x": 1}], "extra": {"any": {"x": 1}}}
        assert [pointer for pointer, _ in told(schema, data)] == [
            "/a/x",
            "/extra/any/x",
            "/pair/0/x",
            "/rows/1/x",
            "/x",
        ]

    def test_an_object_may_say_otherwise(self) -> None:
        assert told({**form(), "additionalProperties": True}, {"x": 1}) == []
        assert told({"type": "object", "additionalProperties": False}, {"x": 1, "y": 2}) == [
            ("/x", "is not expected here"),
            ("/y", "is not expected here"),
        ]
        assert told({**form(), "unevaluatedProperties": True}, {"x": 1}) == []
        assert told({**form(), "additionalProperties": {"type": "string"}}, {"x": 1}) == [("/x", "must be text")]
        assert told(form(a={**form(b={}), "additionalProperties": True}), {"a": {"x": 1}}) == []

    def test_an_object_without_named_fields_takes_any(self) -> None:
        assert told(form(a={"type": "object"}), {"a": {"x": 1}}) == []
        assert told({"type": "object"}, {"x": 1}) == [("/x", "is not expected here")]

    def test_fields_named_in_combined_schemas_are_expected(self) -> None:
        schema = {
            **form(kind={"enum": ["card", "cash"]}),
            "if": {"properties": {"kind": {"const": "card"}}},
            "then": {"properties": {"number": {"type": "string"}}, "required": ["number"]},
            "else": {"properties": {"amount": {"type": "number"}}},
            "allOf": [{"$ref": "#/$defs/signed"}],
            "$defs": {"signed": {"properties": {"signature": {"type": "string"}}}},
        }
        assert check_form_schema(schema) == []
        assert told(schema, {"kind": "card", "number": "1", "signature": "me"}) == []
        assert told(schema, {"kind": "card"}) == [("/number", "is required")]
        assert told(schema, {"kind": "cash", "number": "1"}) == [("/number", "is not expected here")]

    def test_a_wrong_value_is_not_also_called_unexpected(self) -> None:
        schema = {**form(), "allOf": [form(b={"type": "integer"}, c=form(d={"type": "integer"}))]}
        assert told(schema, {"b": "x", "c": {"d": "x"}, "e": 1}) == [
            ("/b", "must be a whole number"),
            ("/c/d", "must be a whole number"),
            ("/e", "is not expected here"),
        ]

    def test_a_definition_is_closed_where_it_is_used(self) -> None:
        schema = {
            **form(
                home={"$ref": "#/$defs/home"},
                free={"$ref": "#/$defs/free"},
                any={"anyOf": [{"$ref": "#/$defs/home"}, {}]},
            ),
            "$defs": {
                "street": form(street={}, at=form(x={})),
                "home": {"allOf": [{"$ref": "#/$defs/street"}], "properties": {"number": {}}},
                "free": {"$ref": "#/$defs/bag"},
                "bag": {"type": "object"},
                "yes": True,
            },
        }
        assert told(schema, {"home": {"street": "s", "number": 1}, "free": {"x": 1}}) == []
        assert told(schema, {"home": {"street": "s", "at": {"y": 1}, "x": 1}}) == [
            ("/home/at/y", "is not expected here"),
            ("/home/x", "is not expected here"),
        ]

    def test_documents_take_them(self) -> None:
        assert validate_document(form(a={"type": "string"}), {"x": 1, "a": "b"}) == []
        assert validate_document({"type": "array"}, []) == []
        assert validate_document(form(a={"type": "string"}), {"a": 1}) == [FieldProblem("/a", "must be text", "type")]


class Colour(enum.StrEnum):
    RED = "red"


class Text(str):
    __slots__ = ()


def test_values_of_python_count_as_what_json_has_for_them() -> None:
    schema = form(
        day={"type": "string", "format": "date"},
        at={"type": "string", "format": "date-time"},
        id={"type": "string", "format": "uuid"},
        colour={"enum": ["red"]},
        text={"type": "string", "minLength": 2},
        pair={"type": "array"},
        price={"type": "number", "maximum": 5},
        cost={"type": "string", "format": "decimal"},
        tax={"anyOf": [{"type": "string"}, {"type": "null"}]},
    )
    data = {
        "day": date(2026, 1, 1),
        "at": datetime(2026, 1, 1, tzinfo=UTC),
        "id": UUID(int=1),
        "colour": Colour.RED,
        "text": Text("ab"),
        "pair": (1, 2),
        "price": Decimal("4.99"),
        "cost": Decimal("4.99"),
        "tax": Decimal("0.19"),
    }
    assert told(schema, data) == []
    assert told(schema, {"price": Decimal("5.01"), "cost": 3}) == [
        ("/cost", "must be text"),
        ("/price", "must be at most 5"),
    ]


@pytest.mark.parametrize("value", ["\ud800", {(1, 2): 3}, b"\xff" * 3])
def test_data_that_json_cannot_say_do_not_crash(value: Any) -> None:
    assert len(validate_form(form(a={"type": "integer"}), {"a": value})) == 1


def test_data_that_contain_themselves_do_not_crash() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    [problem] = validate_form(form(a={"type": "array"}), {"a": cycle})
    assert problem.message == "is nested too deeply"


def test_infinite_numbers_are_refused() -> None:
    assert [pointer for pointer, _ in told(form(a={"type": "number"}), {"a": float("nan")})] == ["/a"]


def test_the_number_of_problems_is_bounded() -> None:
    assert len(told(form(a={"type": "array", "items": {"type": "string"}}), {"a": [1] * 5000})) == 100


@pytest.mark.parametrize(
    ("schema", "pointer", "message"),
    [
        ([], "", "a schema is an object"),
        (None, "", "a schema is an object"),
        (True, "", "a schema is an object"),
        ({}, "/type", 'write "type": "object"'),
        ({"type": "array"}, "/type", 'write "type": "object"'),
        ({"type": ["object", "null"]}, "/type", 'write "type": "object"'),
        (
            {"$schema": "http://json-schema.org/draft-07/schema#"},
            "/$schema",
            "is not supported; write https://json-schema",
        ),
        ({"type": "thing"}, "/type", "'thing' is not a type; write one of array, boolean"),
        (form(a={"type": "text"}), "/properties/a/type", "'text' is not a type"),
        (form(a={"type": ["string", "text"]}), "/properties/a/type", "is not a type"),
        (form(a={"minLength": -1}), "/properties/a/minLength", "the value of 'minLength' must be at least 0"),
        (form(a={"minimum": "1"}), "/properties/a/minimum", "the value of 'minimum' must be a number"),
        (form(a={"enum": "red"}), "/properties/a/enum", "must be a list"),
        (form(a=5), "/properties/a", "the value of 'a' must be true or false or an object"),
        ({"type": "object", "required": "a"}, "/required", "must be a list"),
        ({"type": "object", "required": ["a", "a"]}, "/required", "must not have the same entry twice"),
        ({"type": "object", "properties": []}, "/properties", "must be an object"),
        (form(a={"items": [{}]}), "/properties/a/items", "must be true or false or an object"),
        (form(a={"pattern": "("}), "/properties/a/pattern", "must be a regular expression"),
        (
            form(a={"patternProperties": {"[": {}}}),
            "/properties/a/patternProperties",
            "a field '[', whose name must be a regular expression",
        ),
        (
            form(a={"pattern": "((a{100}){100}){100}"}),
            "/properties/a/pattern",
            "needs too much memory; write a simpler one",
        ),
        (
            form(a={"$ref": "http://evil.example/x"}),
            "/properties/a/$ref",
            "is outside of this schema; copy it into $defs",
        ),
        (form(a={"$ref": "file:///etc/passwd"}), "/properties/a/$ref", "is outside of this schema"),
        (form(a={"$ref": "other.json#/x"}), "/properties/a/$ref", "is outside of this schema"),
        (form(a={"allOf": [{"not": {"$ref": "x"}}]}), "/properties/a/allOf/0/not/$ref", "is outside of this schema"),
        (form(a={"$ref": "#/$defs/b"}), "/properties/a/$ref", "refers to nothing; define it under $defs"),
        (form(a={"$ref": "#b"}), "/properties/a/$ref", "refers to nothing"),
        (form(a={"$ref": "#/type/b"}), "/properties/a/$ref", "refers to nothing"),
        (form(a={"$ref": "#/required/7"}), "/properties/a/$ref", "refers to nothing"),
        (form(a={"allOf": [{}], "$ref": "#/properties/a/allOf/7"}), "/properties/a/$ref", "refers to nothing"),
        (form(a={"$ref": 5}), "/properties/a/$ref", "must be text"),
        (form(a={"$dynamicRef": "http://x.example/y"}), "/properties/a/$dynamicRef", "is outside of this schema"),
        (form(a={"$id": "http://x.example/y"}), "/properties/a/$id", "$id is not supported in a form"),
        (form(a={"$ref": "#"}), "", "the form contains itself"),
        ({**form(), "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}}, "", "the form contains itself"),
        ({"type": "object", "x": {1, 2}, "y": object()}, "", "cannot be written as JSON"),
        ({"type": "object", "title": "x" * MAX_SCHEMA_BYTES}, "", f"more than {MAX_SCHEMA_BYTES}"),
    ],
)
def test_a_wrong_schema_is_refused_where_it_is_wrong(schema: Any, pointer: str, message: str) -> None:
    found = faults(schema)
    assert [text for place, text in found if place == pointer and message in text], found
    with pytest.raises(InvalidSchemaError) as caught:
        validate_form(schema if schema is not None else [], DATA)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_all_faults_of_a_schema_are_told_once_each() -> None:
    schema = form(a={"$ref": "x"}, b={"$ref": "#/y"}, c={"$ref": "#/properties/b"})
    assert [pointer for pointer, _ in faults(schema)] == ["/properties/a/$ref", "/properties/b/$ref"]
    assert len(faults(form(a=5))) == 1


def test_what_looks_like_a_reference_in_data_is_none() -> None:
    schema = form(
        **{
            "$ref": {"type": "string"},
            "a": {"default": {"$ref": "x"}, "const": {"$ref": "y"}, "examples": [{"$ref": "z"}]},
        }
    )
    assert check_form_schema(schema) == []
    assert told(schema, {"$ref": "anything"}) == []


def test_references_may_be_pointers_into_lists_and_be_escaped() -> None:
    schema = {
        **form(a={"$ref": "#/$defs/x~1y%20z"}, b={"$ref": "#/allOf/0"}),
        "allOf": [{"type": ["object", "string"]}],
        "$defs": {"x/y z": {"type": "integer"}},
    }
    assert check_form_schema(schema) == []
    assert told(schema, {"a": "x", "b": "fine"}) == [("/a", "must be a whole number")]


def test_a_small_schema_that_unfolds_to_a_huge_one_is_refused_soon() -> None:
    levels = 200
    laughs = {f"l{n}": {"anyOf": [{"$ref": f"#/$defs/l{n + 1}"}] * 2} for n in range(levels)}
    started = time.perf_counter()
    [(_, message)] = faults({**form(a={"$ref": "#/$defs/l0"}), "$defs": {**laughs, f"l{levels}": {"type": "string"}}})
    assert f"more than {MAX_UNFOLDED} schemas" in message
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize(
    "pattern", ["^(a+)+$", r"^(a+)+\1$", "^(?=(a|a)*b)((a+)+)c$", "(x+x+)+y", "^(([a-z])+.)+[A-Z]([a-z])+$"]
)
def test_a_catastrophic_pattern_does_not_hold_up_the_server(pattern: str) -> None:
    schema = form(a={"type": "string", "pattern": pattern})
    assert check_form_schema(schema) == []
    started = time.perf_counter()
    problems = told(schema, {"a": "a" * 5_000 + "x" * 5_000 + "!"})
    assert time.perf_counter() - started < 2
    assert [pointer for pointer, _ in problems] == ["/a"]


def test_a_pattern_that_takes_too_long_says_so() -> None:
    problems = told(form(a={"pattern": r"(a+)+\1$"}), {"a": "a" * 50_000 + "!"})
    assert problems == [("/a", "takes too long to compare with the expected pattern; make it shorter")]


@pytest.mark.parametrize("levels", [33, 400, 5_000, 50_000])
def test_a_schema_that_is_nested_too_deeply_is_refused(levels: int) -> None:
    schema: Any = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    [(pointer, message)] = faults(schema)
    assert (pointer, message) == (
        "",
        f"the schema is nested deeper than {MAX_SCHEMA_DEPTH} levels; move parts of it to $defs",
    )


def test_deeply_nested_data_do_not_crash() -> None:
    data: Any = 1
    for _ in range(100_000):
        data = {"a": data}
    assert validate_form(form(a={"type": "object"}), data) == [FieldProblem("", "is nested too deeply", "type")]
    assert validate_document({"additionalProperties": {"$ref": "#"}}, data) == [
        FieldProblem("", "is nested too deeply", "type")
    ]


def test_the_schema_of_a_document_may_contain_itself_and_have_any_type() -> None:
    tree = {"type": "array", "items": {"$ref": "#"}}
    assert check_document_schema(tree) == []
    assert validate_document(tree, [[], [[]]]) == []
    assert validate_document(tree, [[], [5]]) == [FieldProblem("/1/0", "must be a list", "type")]
    assert check_document_schema({"$ref": "http://x.example"})
    inner = {"$id": "http://x.example/inner", "$ref": "#/$defs/b"}
    [problem] = check_document_schema({"properties": {"a": inner}, "$defs": {"b": {}}})
    assert problem == SchemaProblem("", "Pointer '/$defs/b' does not exist")
    assert check_document_schema([])


def test_a_schema_that_is_changed_is_compiled_again() -> None:
    schema = form(a={"type": "string"})
    assert told(schema, {"a": 1})
    schema["properties"]["a"]["type"] = "integer"
    assert not told(schema, {"a": 1})


def test_errors_survive_pickling() -> None:
    with pytest.raises(InvalidSchemaError) as caught:
        validate_form({"type": "array"}, {})
    copy = pickle.loads(pickle.dumps(caught.value))
    assert copy.problems == caught.value.problems
    assert isinstance(copy.problems[0], SchemaProblem)
    assert isinstance(copy, DefinitionError)
    assert str(copy) == 'the schema cannot be used: /type: the data of a form are an object; write "type": "object"'


def test_problems_are_arranged_for_rjsf() -> None:
    problems = [
        FieldProblem("", "is wrong", "x"),
        FieldProblem("/amount", "is required", "required"),
        FieldProblem("/amount", "must be a number", "type"),
        FieldProblem("/lines/0/a~1b~0c", "must be text", "type"),
    ]
    assert form_errors(problems) == {
        "__errors": ["is wrong"],
        "amount": {"__errors": ["is required", "must be a number"]},
        "lines": {"0": {"a/b~c": {"__errors": ["must be text"]}}},
    }
    assert form_errors([]) == {}


class Line(msgspec.Struct):
    sku: str
    quantity: int = 1


class Order(msgspec.Struct, forbid_unknown_fields=True):
    id: UUID
    lines: list[Line]
    price: Decimal | None = None


class Node(msgspec.Struct):
    children: list[Node] = []


@dataclass
class Review:
    approved: bool
    due: date | None = None


class Odd(msgspec.Struct):
    value: complex


class Dangling(msgspec.Struct):
    value: Nowhere  # type: ignore[name-defined]  # noqa: F821


def test_a_type_is_described_with_its_fields_at_the_top() -> None:
    schema = schema_for(Order)
    assert schema["type"] == "object"
    assert list(schema["properties"]) == ["id", "lines", "price"]
    assert schema["required"] == ["id", "lines"]
    assert list(schema["$defs"]) == ["Line"]
    assert check_form_schema(schema) == []
    assert told(schema, {"id": UUID(int=1), "lines": [{"sku": "a"}], "price": Decimal("1.5")}) == []
    assert told(schema, {"lines": [{"sku": 1, "x": 2}]}) == [
        ("/id", "is required"),
        ("/lines/0/sku", "must be text"),
        ("/lines/0/x", "is not expected here"),
    ]


def test_a_type_that_refers_to_nothing_has_no_definitions() -> None:
    schema = schema_for(Review)
    assert "$defs" not in schema
    assert check_form_schema(schema) == []
    assert told(schema, {"approved": True, "due": date(2026, 1, 1)}) == []
    assert schema_for(int) == {"type": "integer"}


def test_a_type_that_contains_itself_is_described_for_documents() -> None:
    schema = schema_for(Node)
    assert schema["type"] == "object"
    assert check_document_schema(schema) == []
    assert validate_document(schema, {"children": [{"children": []}]}) == []
    assert validate_document(schema, {"children": [{"children": 1}]}) == [
        FieldProblem("/children/0/children", "must be a list", "type")
    ]


@pytest.mark.parametrize("type", [Odd, Dangling])
def test_a_type_that_json_schema_cannot_describe_is_refused(type: Any) -> None:
    with pytest.raises(TypeError, match=r"complex|Nowhere"):
        schema_for(type)


JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=5)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=8,
)
SCHEMAS = st.recursive(
    st.one_of(
        st.booleans(),
        st.just({}),
        st.builds(
            lambda type: {"type": type},
            st.sampled_from(["string", "number", "integer", "object", "array", "null", "boolean"]),
        ),
        st.builds(lambda value: {"const": value}, JSON),
        st.builds(lambda value: {"enum": [value]}, JSON),
        st.just({"$ref": "#/$defs/d"}),
        st.just({"$ref": "#"}),
    ),
    lambda inner: st.one_of(
        st.builds(lambda names: {"properties": names}, st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=3)),
        st.builds(lambda items: {"items": items}, inner),
        st.builds(lambda items: {"prefixItems": items}, st.lists(inner, min_size=1, max_size=2)),
        st.builds(
            lambda key, items: {key: items},
            st.sampled_from(["anyOf", "oneOf", "allOf"]),
            st.lists(inner, min_size=1, max_size=2),
        ),
        st.builds(lambda a, b: {"if": a, "then": b}, inner, inner),
        st.builds(
            lambda key, value: {key: value},
            st.sampled_from(["not", "contains", "additionalProperties", "propertyNames"]),
            inner,
        ),
    ),
    max_leaves=6,
)


@settings(max_examples=150)
@given(
    properties=st.dictionaries(st.text("ab", max_size=1), SCHEMAS, max_size=2),
    definition=SCHEMAS,
    data=st.dictionaries(st.text("abx", max_size=1), JSON),
)
def test_any_schema_is_refused_or_validates_any_data(
    properties: dict[str, Any], definition: Any, data: dict[str, Any]
) -> None:
    schema = {"type": "object", "properties": properties, "$defs": {"d": definition}}
    if not check_form_schema(schema):
        problems = validate_form(schema, data)
        unexpected = {f"/{name}" for name in data.keys() - properties.keys()}
        assert unexpected <= {problem.pointer for problem in problems}
        document_problems = validate_document(schema, data)
        assert not document_problems or problems, "a form accepts nothing that a document does not"
        form_errors(problems)


@settings(max_examples=150)
@given(JSON)
def test_anything_may_be_offered_as_a_schema(schema: Any) -> None:
    for problem in check_form_schema(schema):
        assert problem.message


def test_decimals_of_a_type_are_numbers_or_text_that_is_one() -> None:
    class Money(msgspec.Struct):
        amount: Decimal

    schema = schema_for(Money)

    assert validate_document(schema, {"amount": 42}) == []
    assert validate_document(schema, {"amount": "42.10"}) == []
    assert validate_document(schema, {"amount": Decimal("42.10")}) == []
    assert [problem.pointer for problem in validate_document(schema, {"amount": "much"})] == ["/amount"]
