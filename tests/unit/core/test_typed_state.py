"""Typed state: fields are data keys, and what goes in comes out equal."""

from __future__ import annotations

import enum
import pickle
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, strategies as st

from workflows_core.domain.payload import changed_keys, decode_data, encode_data
from workflows_core.domain.typed_state import (
    StateTypeError,
    TypedStateError,
    check_state_type,
    decode_state,
    encode_state,
    state_fields,
)
from workflows_core.errors import DefinitionError


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Line(msgspec.Struct, frozen=True):
    sku: str
    price: Decimal
    quantity: int = 1


class Card(msgspec.Struct, tag=True):
    number: str


class Cash(msgspec.Struct, tag=True):
    amount: Decimal


class Point(msgspec.Struct, frozen=True, array_like=True, tag="p"):
    x: int
    y: int = 0


class Order(msgspec.Struct):
    id: UUID
    lines: list[Line] = []
    due: datetime | None = None
    day: date | None = None
    at: time | None = None
    grace: timedelta = timedelta(0)
    colour: Colour = Colour.RED
    colours: set[Colour] = set()
    pair: tuple[int, str] | None = None
    paid: Card | Cash | None = None
    blob: bytes = b""
    ratio: float = 0
    count: int = 0
    by_day: dict[date, Decimal] = {}
    by_id: dict[UUID, list[Line]] = {}
    by_number: dict[int, str] = {}
    raw: dict[str, frozenset[bytes]] = {}
    stage: Literal["new", "done"] = "new"
    points: set[Point] = set()
    line_set: frozenset[Line] = frozenset()
    anything: Any = None
    left_out: int | msgspec.UnsetType = msgspec.UNSET


@dataclass
class Claim:
    amount: Decimal
    notes: list[str] = field(default_factory=list)
    parts: list[Claim] = field(default_factory=list)
    LIMIT: ClassVar[int] = 5


LINES = st.builds(Line, st.text(), st.decimals(allow_nan=False, allow_infinity=False), st.integers())
AWARE = st.datetimes(timezones=st.sampled_from([UTC, ZoneInfo("Europe/Berlin")]))
ORDERS = st.builds(
    Order,
    id=st.uuids(),
    lines=st.lists(LINES, max_size=2),
    due=st.one_of(st.none(), AWARE, st.datetimes()),
    day=st.one_of(st.none(), st.dates()),
    at=st.one_of(st.none(), st.times()),
    grace=st.timedeltas(),
    colour=st.sampled_from(Colour),
    colours=st.sets(st.sampled_from(Colour)),
    pair=st.one_of(st.none(), st.tuples(st.integers(), st.text())),
    paid=st.one_of(st.none(), st.builds(Card, st.text()), st.builds(Cash, st.decimals(0, 9))),
    blob=st.binary(max_size=5),
    ratio=st.floats(allow_nan=False, allow_infinity=False),
    count=st.integers(),
    by_day=st.dictionaries(st.dates(), st.decimals(0, 9), max_size=2),
    by_id=st.dictionaries(st.uuids(), st.lists(LINES, max_size=1), max_size=2),
    by_number=st.dictionaries(st.integers(-(2**62), 2**62), st.text(), max_size=2),
    raw=st.dictionaries(st.text(), st.frozensets(st.binary(max_size=3), max_size=2), max_size=2),
    stage=st.sampled_from(["new", "done"]),
    points=st.sets(st.builds(Point, st.integers(), st.integers()), max_size=3),
    line_set=st.frozensets(LINES, max_size=3),
    anything=st.recursive(
        st.one_of(st.none(), st.integers(), st.text(), st.dates(), st.frozensets(st.text())),
        lambda inner: st.one_of(st.lists(inner), st.tuples(inner, inner), st.dictionaries(st.text(), inner)),
        max_leaves=4,
    ),
    left_out=st.one_of(st.just(msgspec.UNSET), st.integers()),
)
CLAIMS = st.recursive(
    st.builds(Claim, st.decimals(0, 9), st.lists(st.text(), max_size=2)),
    lambda inner: st.builds(Claim, st.decimals(0, 9), parts=st.lists(inner, max_size=2)),
    max_leaves=4,
)


@given(st.one_of(ORDERS, CLAIMS))
def test_a_state_comes_back_equal_through_the_store(state: Any) -> None:
    stored = encode_data(encode_state(state))
    again = decode_state(type(state), decode_data(stored))
    assert again == state
    assert changed_keys(stored, encode_state(again)) == ({}, ())


def test_fields_are_data_keys_and_keep_their_types() -> None:
    data = encode_state(Order(UUID(int=1), [Line("a", Decimal("1.5"))], datetime(2026, 1, 1, tzinfo=UTC)))
    assert data["id"] == UUID(int=1)
    assert data["due"] == datetime(2026, 1, 1, tzinfo=UTC)
    assert data["lines"] == [{"sku": "a", "price": Decimal("1.5"), "quantity": 1}]
    assert set(data) == state_fields(Order) - {"left_out"}


def test_a_set_is_no_change_however_it_was_made() -> None:
    forwards, backwards = Order(UUID(int=1)), Order(UUID(int=1))
    lines = [Line(f"sku {number}", Decimal(number)) for number in range(50)]
    words = [f"word {number}" for number in range(50)]
    forwards.line_set, backwards.line_set = frozenset(lines), frozenset(lines[::-1])
    forwards.anything, backwards.anything = set(words), set(words[::-1])  # noqa: C415
    assert changed_keys(encode_data(encode_state(forwards)), encode_state(backwards)) == ({}, ())


def test_keys_that_are_not_fields_are_left_alone() -> None:
    class Strict(msgspec.Struct, forbid_unknown_fields=True):
        a: int

    assert decode_state(Strict, {"a": 1, "forms": {"review": {}}}) == Strict(1)
    assert decode_state(Claim, {"amount": Decimal(1), "other": object()}) == Claim(Decimal(1))


def test_names_and_tags_as_encoded_are_the_keys() -> None:
    class Renamed(msgspec.Struct, rename="camel", tag="r", tag_field="kind", omit_defaults=True):
        is_open: bool
        note: str = ""

    assert state_fields(Renamed) == {"isOpen", "note", "kind"}
    assert encode_state(Renamed(True)) == {"kind": "r", "isOpen": True, "note": ""}
    assert decode_state(Renamed, {"kind": "r", "isOpen": True}) == Renamed(True)


def test_values_may_arrive_as_text_as_in_a_request() -> None:
    data = {
        "id": str(UUID(int=1)),
        "due": "2026-01-01T00:00:00Z",
        "by_day": {"2026-01-01": 1},
        "lines": [{"sku": "a", "price": "1.50"}],
    }
    order = decode_state(Order, data)
    assert order.due == datetime(2026, 1, 1, tzinfo=UTC)
    assert order.by_day == {date(2026, 1, 1): Decimal(1)}
    assert order.lines[0].price == Decimal("1.50")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({}, "missing required field `id`"),
        ({"id": "x"}, r"Invalid UUID - at `\$.id`"),
        ({"id": UUID(int=1), "count": "5"}, r"Expected `int`, got `str` - at `\$.count`"),
        ({"id": UUID(int=1), "lines": [{"sku": "a"}]}, r"`price` - at `\$.lines\[0\]`"),
    ],
)
def test_data_that_do_not_fit_are_refused_with_the_place(data: dict[str, Any], reason: str) -> None:
    with pytest.raises(TypedStateError, match=reason) as caught:
        decode_state(Order, data)
    assert caught.value.type_name == "Order"
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"count": "five"}, r"Expected `int`, got `str` - at `\$.count`"),
        ({"count": object()}, "Encoding objects of type object is unsupported"),
        ({"by_day": {object(): Decimal(1)}}, "type object is unsupported|Only dicts with"),
        ({"raw": {"a": {5}}}, r"Expected `bytes`, got `int` - at `\$.raw\[\.\.\.\]\[0\]`"),
    ],
)
def test_a_field_of_the_wrong_type_is_refused_before_it_is_stored(change: dict[str, Any], reason: str) -> None:
    order = Order(UUID(int=1))
    for name, value in change.items():
        setattr(order, name, value)
    with pytest.raises(TypedStateError, match=reason):
        encode_state(order)


def test_a_state_that_contains_itself_is_refused() -> None:
    claim = Claim(Decimal(1))
    claim.parts.append(claim)
    with pytest.raises(TypedStateError, match="recursion"):
        encode_state(claim)


class Listed(msgspec.Struct, array_like=True):
    a: int


class Odd(msgspec.Struct):
    a: complex


class Ambiguous(msgspec.Struct):
    a: date | str


@dataclass
class Dangling:
    a: Nowhere  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("type", "reason"),
    [
        (dict, "neither a msgspec Struct nor a dataclass"),
        (dict[str, int], "neither a msgspec Struct nor a dataclass"),
        ("Order", "neither a msgspec Struct nor a dataclass"),
        (None, "neither a msgspec Struct nor a dataclass"),
        (Order(UUID(int=1)), "neither a msgspec Struct nor a dataclass"),
        (Listed, "without field names"),
        (Odd, "complex"),
        (Ambiguous, "more than one str-like type"),
        (Dangling, "Nowhere"),
    ],
)
def test_a_type_that_cannot_be_a_state_is_refused_when_the_workflow_is_defined(type: Any, reason: str) -> None:
    with pytest.raises(StateTypeError, match=reason) as caught:
        check_state_type(type)
    assert isinstance(caught.value, DefinitionError)
    assert "declare `class State(msgspec.Struct)`" in str(caught.value)


@pytest.mark.parametrize("type", [Order, Claim])
def test_structs_and_dataclasses_can_be_states(type: type) -> None:
    check_state_type(type)


@pytest.mark.parametrize("value", [{"a": 1}, None, 5, Order, Claim])
def test_only_an_instance_of_a_state_type_can_be_taken_apart(value: Any) -> None:
    with pytest.raises(TypedStateError, match="neither a msgspec Struct nor a dataclass"):
        encode_state(value)
