"""Values become bytes and come back the same: same value, same type, all the way down."""

from __future__ import annotations

import copy
import dataclasses
import enum
import inspect
import json
import pickle
import sys
from collections import Counter, OrderedDict, UserDict, deque, namedtuple
from collections.abc import Awaitable, Generator
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, strategies as st

from workflows_core.adapters.json_codec import JsonCodec
from workflows_core.domain.payload import (
    PayloadDecodeError,
    changed_keys,
    check_data_size,
    data_size,
    decode_data,
    decode_value,
    encode_data,
    encode_payload,
    encode_value,
    to_json_value,
)
from workflows_core.domain.payload_encoding import MAX_DEPTH
from workflows_core.errors import PayloadError, PayloadTooLargeError

BERLIN = ZoneInfo("Europe/Berlin")


def round_trip(value: Any) -> Any:
    return decode_value(encode_value("key", value))


def exact(value: Any) -> Any:
    """A picture of a value in which differences that `==` overlooks show: types, signs of zero, zones, order of keys."""
    kind = type(value)
    if kind in {list, tuple}:
        return kind, [exact(item) for item in value]
    if kind in {set, frozenset}:
        return kind, sorted((exact(item) for item in value), key=repr)
    if kind is dict:
        return kind, [(exact(key), exact(item)) for key, item in value.items()]
    if kind in {datetime, time}:
        zone = value.tzinfo
        return (
            kind,
            value.replace(tzinfo=None, fold=0),
            value.utcoffset(),
            zone.key if isinstance(zone, ZoneInfo) else None,
        )
    return kind, hex(value) if kind is int else repr(value)


def refusal(value: Any, key: str = "order") -> PayloadError:
    with pytest.raises(PayloadError) as caught:
        encode_value(key, value)
    return caught.value


ZONES: st.SearchStrategy[tzinfo | None] = st.one_of(
    st.none(),
    st.just(UTC),
    st.timezones(),
    st.integers(-80_000, 80_000).map(lambda seconds: timezone(timedelta(seconds=seconds))),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(2**62, 2**200),
    st.integers(-(2**200), -(2**62)),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.sampled_from(["$type", "value", "\x00", '"$type"']),
    st.binary(max_size=20),
    st.datetimes(timezones=ZONES, allow_imaginary=True),
    st.dates(),
    st.times(timezones=ZONES),
    st.timedeltas(),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.uuids(),
)
HASHABLE = st.recursive(
    SCALARS, lambda inner: st.one_of(st.tuples(inner, inner), st.frozensets(inner, max_size=3)), max_leaves=5
)
KEYS = st.one_of(st.text(max_size=5), st.sampled_from(["$type", "value"]))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(KEYS, inner, max_size=4),
        st.sets(HASHABLE, max_size=3),
        st.frozensets(HASHABLE, max_size=3),
        st.builds(
            lambda kind, value: {"$type": kind, "value": value}, st.sampled_from(["int", "set", "dict", "x"]), inner
        ),
    ),
    max_leaves=10,
)


@given(VALUES)
def test_a_value_comes_back_exactly(value: Any) -> None:
    before = copy.deepcopy(value)
    raw = encode_value("key", value)
    assert exact(decode_value(raw)) == exact(value)
    assert exact(value) == exact(before), "encoding leaves the value alone"
    assert encode_value("key", decode_value(raw)) == raw
    json.loads(raw)


@given(st.dictionaries(st.text(max_size=4), VALUES, max_size=4))
def test_data_come_back_exactly(data: dict[str, Any]) -> None:
    stored = encode_data(data)
    assert exact(decode_data(stored)) == exact(data)
    assert changed_keys(stored, data) == ({}, ())


@pytest.mark.parametrize(
    ("value", "raw"),
    [
        ({"a": [1, 2.5, None, True, "é"]}, '{"a":[1,2.5,null,true,"é"]}'),
        ("a\x00b", '"a\\u0000b"'),
        (2**64 - 1, "18446744073709551615"),
        (2**64, '{"$type":"int","value":"10000000000000000"}'),
        (-(2**63) - 1, '{"$type":"int","value":"-8000000000000001"}'),
        (-0.0, "-0.0"),
        (Decimal("1.50"), '{"$type":"decimal","value":"1.50"}'),
        (date(2026, 1, 2), '{"$type":"date","value":"2026-01-02"}'),
        (time(1, 2), '{"$type":"time","value":"01:02:00"}'),
        (datetime(2026, 1, 2, tzinfo=UTC), '{"$type":"datetime","value":"2026-01-02T00:00:00+00:00"}'),
        (
            datetime(2026, 7, 2, tzinfo=BERLIN),
            '{"$type":"datetime","value":"2026-07-02T00:00:00+02:00[Europe/Berlin]"}',
        ),
        (timedelta(days=-1, microseconds=3), '{"$type":"timedelta","value":[-1,0,3]}'),
        (UUID(int=1), '{"$type":"uuid","value":"00000000-0000-0000-0000-000000000001"}'),
        (b"\xff\x00", '{"$type":"bytes","value":"/wA="}'),
        ((1, (2,)), '{"$type":"tuple","value":[1,{"$type":"tuple","value":[2]}]}'),
        ({"b", "a", 3}, '{"$type":"set","value":["a","b",3]}'),
        (frozenset({(2, 1)}), '{"$type":"frozenset","value":[{"$type":"tuple","value":[2,1]}]}'),
        ({"$type": "x"}, '{"$type":"dict","value":{"$type":"x"}}'),
        ({"$type": {"$type": {1}}}, None),
        ([10**5000], None),
    ],
)
def test_the_format_is_stable(value: Any, raw: str | None) -> None:
    encoded = encode_payload(value)
    assert raw is None or encoded.decode() == raw
    assert exact(decode_value(encoded)) == exact(value)


def test_sets_are_encoded_alike_however_they_were_made() -> None:
    words = [f"word {number}" for number in range(100)]
    forwards, backwards = set[str](), set[str]()
    forwards.update(words)
    backwards.update(reversed(words))
    assert encode_payload(forwards) == encode_payload(backwards)
    assert encode_payload({frozenset({1, 2}), frozenset({3})}) == encode_payload({frozenset({3}), frozenset({2, 1})})


def test_mappings_keep_their_order() -> None:
    assert list(round_trip({"b": 1, "a": {1}, "c": 3})) == ["b", "a", "c"]


@pytest.mark.parametrize("fold", [0, 1])
def test_both_hours_of_the_night_the_clock_is_put_back_are_told_apart(fold: int) -> None:
    value = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=fold)
    assert round_trip(value).fold == fold
    assert round_trip(value).utcoffset() == value.utcoffset()


def test_if_the_rules_of_a_zone_change_a_time_keeps_its_instant() -> None:
    stored_under_other_rules = b'{"$type":"datetime","value":"2026-07-02T00:00:00+05:00[Europe/Berlin]"}'
    value = decode_value(stored_under_other_rules)
    assert value == datetime(2026, 7, 1, 19, tzinfo=UTC)
    assert value.tzinfo is BERLIN


def test_times_of_day_keep_their_zone() -> None:
    assert round_trip(time(9, 30, tzinfo=BERLIN)) == time(9, 30, tzinfo=BERLIN)
    assert round_trip(time(9, 30, tzinfo=BERLIN)).tzinfo is BERLIN
    assert round_trip(time(9, 30, tzinfo=ZoneInfo("UTC"))).utcoffset() == timedelta(0)


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Mixed(str, enum.Enum):  # noqa: UP042  the older way is still common
    RED = "red"


class Price(Decimal):
    pass


class DriverUUID(UUID):
    pass


class Moment(datetime):
    pass


class Day(date):
    pass


class Hour(time):
    pass


class Span(timedelta):
    pass


class Ratio(float):
    def __str__(self) -> str:
        return "ratio"


class Blob(bytes):
    def __bytes__(self) -> bytes:
        return b"other"


@pytest.mark.parametrize(
    ("value", "base"),
    [
        (Colour.RED, "red"),
        (Mixed.RED, "red"),
        (Level.HIGH, 3),
        (Price("1.50"), Decimal("1.50")),
        (DriverUUID(int=5), UUID(int=5)),
        (Moment(2026, 1, 2, 3, tzinfo=BERLIN), datetime(2026, 1, 2, 3, tzinfo=BERLIN)),
        (Day(2026, 1, 2), date(2026, 1, 2)),
        (Hour(1, 2), time(1, 2)),
        (Span(1, 2, 3), timedelta(1, 2, 3)),
        (Ratio(0.5), 0.5),
        (Blob(b"x"), b"x"),
        ([Colour.RED, {"a": Level.HIGH}], ["red", {"a": 3}]),
        ({Colour.RED: 1, "b": {1}}, {"red": 1, "b": {1}}),
        ({Colour.RED}, {"red"}),
    ],
)
def test_a_subclass_of_a_scalar_is_stored_as_its_base_value(value: Any, base: Any) -> None:
    assert exact(round_trip(value)) == exact(base)
    assert encode_payload(value) == encode_payload(base)


class Fine(datetime):
    """Like a timestamp of pandas: has nanoseconds too."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fine) and super().__eq__(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = datetime.__hash__


class NoTime(datetime):
    """Like NaT of pandas."""

    @property
    def year(self) -> int:
        raise ValueError


class Struct(msgspec.Struct):
    a: int = 1


@dataclasses.dataclass
class Data:
    a: int = 1


class Bare(enum.Enum):
    A = 1


Point = namedtuple("Point", "x y")  # noqa: PYI024


async def forgotten() -> None: ...


def numbers() -> Generator[int]:
    yield 1


@pytest.mark.parametrize(
    ("value", "type_name", "hint"),
    [
        (Struct(), "Struct", "declare it in a typed state or store msgspec.to_builtins(value)"),
        (Data(), "Data", "declare it in a typed state or store msgspec.to_builtins(value)"),
        (object(), "object", "store what it holds, or declare it in a typed state"),
        (Struct, "StructMeta", "store its name"),
        (Bare.A, "Bare", "store its .value"),
        (bytearray(b"x"), "bytearray", "store bytes(value)"),
        (memoryview(b"x"), "memoryview", "store bytes(value)"),
        (Point(1, 2), "Point", "store tuple(value)"),
        (OrderedDict(a=1), "OrderedDict", "store dict(value)"),
        (Counter("aa"), "Counter", "store dict(value)"),
        (UserDict(a=1), "UserDict", "store dict(value)"),
        ({"a": 1}.keys(), "dict_keys", "store set(value)"),
        (deque([1]), "deque", "store list(value)"),
        (range(3), "range", "store list(value)"),
        (numbers(), "generator", "store list(value)"),
        (Path("/"), "PosixPath", "store what it holds"),
        (1j, "complex", "store what it holds"),
        (float("nan"), "float", "NaN and Infinity have no encoding; store None or text"),
        (float("-inf"), "float", "NaN and Infinity have no encoding"),
        (Ratio("nan"), "float", "NaN and Infinity have no encoding"),
        (Decimal("NaN"), "Decimal", "NaN and Infinity have no encoding"),
        (Decimal("sNaN"), "Decimal", "NaN and Infinity have no encoding"),
        (Decimal("Infinity"), "Decimal", "NaN and Infinity have no encoding"),
        ({1: 2}, "int", "keys of mappings are text; store str(key)"),
        ({"a": 1, None: 2}, "NoneType", "keys of mappings are text"),
        ("\ud800", "str", "lone surrogate"),
        ({"\ud800": 1}, "str", "lone surrogate"),
        ({("\ud800",)}, "str", "lone surrogate"),
        (Fine(2026, 1, 1), "Fine", "it is more than the datetime 2026-01-01 00:00:00"),
        (NoTime(2026, 1, 1), "NoTime", "it is no datetime; store None or text"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_would_not_come_back_the_same_is_refused_with_a_hint(value: Any, type_name: str, hint: str) -> None:
    error = refusal(value)
    assert error.key == "order"
    assert error.type_name == type_name
    assert hint in error.hint
    assert hint in str(error)


def test_a_coroutine_that_was_not_awaited_is_recognised() -> None:
    coroutine = forgotten()
    assert isinstance(coroutine, Awaitable)
    assert refusal(coroutine).hint == "await it first"
    coroutine.close()


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"items": [1, {"a/b~c": object()}]}, "/items/1/a~1b~0c"),
        ([[], [(1, object())]], "/1/0/1"),
        ({"tags": {1, Bare.A}}, "/tags"),
        ({"a": {"b": {5: 1}}}, "/a/b/5"),
        ({"z": [1, {}], "a": [0, "\ud800"]}, "/a/1"),
        ({"a": {"\ud800"}}, ""),
        ({"a": ({"b": "\udfff"},)}, "/a/0/b"),
        ({"a": {"\ud800": 1}}, "/a"),
        (object(), ""),
    ],
)
def test_a_refusal_says_where(value: Any, path: str) -> None:
    error = refusal(value)
    assert error.path == path
    assert "'order'" in str(error)
    assert path in str(error)


def test_refusals_survive_pickling_and_take_the_step() -> None:
    error = refusal({"a": object()})
    error = PayloadError(error.key, error.path, error.type_name, error.hint, "review")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert "step 'review'" in str(again)
    with pytest.raises(PayloadDecodeError) as caught:
        decode_data({"a": b"{"})
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_nesting_has_a_limit_and_cycles_are_found() -> None:
    def nested(levels: int, wrap: Any) -> Any:
        value: Any = 1
        for _ in range(levels):
            value = wrap(value)
        return value

    for wrap in (lambda v: [v], lambda v: {"a": v}, lambda v: (v,), lambda v: frozenset({v})):
        assert round_trip(nested(MAX_DEPTH, wrap)) == nested(MAX_DEPTH, wrap)
        assert "nested deeper than 100 levels" in refusal(nested(MAX_DEPTH + 1, wrap)).hint
    cycle: dict[str, Any] = {"a": 1}
    cycle["self"] = [cycle, cycle]
    error = refusal(cycle)
    assert "contains itself" in error.hint
    assert error.path.startswith("/self/0/self/0/")
    assert "nested deeper" in refusal(nested(100_000, lambda v: [v])).hint


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"nonsense",
        b'"\xff"',
        b'{"$type":"new","value":1}',
        b'{"$type":"int","value":"xyz"}',
        b'{"$type":"int","value":5}',
        b'{"$type":"int"}',
        b'{"$type":"int","other":1}',
        b'{"$type":"int","value":"1","more":2}',
        b'{"$type":["int"],"value":"1"}',
        b'{"$type":"decimal","value":"x"}',
        b'{"$type":"datetime","value":"x"}',
        b'{"$type":"datetime","value":"["}',
        b'{"$type":"datetime","value":"2026-07-02T00:00:00+02:00[Mars/Base]"}',
        b'{"$type":"datetime","value":"2026-07-02T00:00:00+02:00[../../etc/passwd]"}',
        b'{"$type":"timedelta","value":[1e300]}',
        b'{"$type":"set","value":[[]]}',
        b'{"$type":"dict","value":5}',
        b"[" * 100_000,
    ],
)
def test_bytes_that_are_no_payload_are_refused_naming_the_key(raw: bytes) -> None:
    with pytest.raises(PayloadDecodeError) as caught:
        decode_data({"good": b"1", "bad": raw})
    assert caught.value.key == "bad"
    assert caught.value.reason
    assert "data key 'bad' cannot be decoded" in str(caught.value)


def test_a_zone_that_this_machine_does_not_know_is_named() -> None:
    with pytest.raises(PayloadDecodeError, match="time zone 'Mars/Base' is not known here; install tzdata"):
        decode_value(b'{"$type":"time","value":"01:00:00[Mars/Base]"}')


def test_decoding_gives_new_values_each_time() -> None:
    raw = encode_payload({"a": [1], "b": {2}})
    first = decode_value(raw)
    first["a"].append(2)
    first["b"].add(3)
    assert decode_value(raw) == {"a": [1], "b": {2}}


def test_changes_are_found_however_they_were_made() -> None:
    before = encode_data({"same": 1, "list": [1], "nested": {"a": {"b": 1}}, "type": 1, "gone": 1, "also gone": 2})
    after = decode_data(before)
    after["list"].append(2)
    after["nested"]["a"]["b"] = 2
    after["type"] = 1.0
    after["new"] = {1}
    del after["gone"], after["also gone"]
    changes = changed_keys(before, after)
    assert list(changes.changed) == ["list", "nested", "type", "new"]
    assert changes.deleted == ("gone", "also gone")
    assert decode_data(changes.changed)["new"] == {1}


def test_keys_of_the_data_are_text() -> None:
    assert list(encode_data({Colour.RED: 1, "größe": 2})) == ["red", "größe"]
    assert type(next(iter(encode_data({Colour.RED: 1})))) is str
    for key in (5, None, "\ud800"):
        with pytest.raises(PayloadError, match="keys of the data are valid text"):
            encode_data({key: 1})  # type: ignore[dict-item]


def test_another_codec_may_be_used_and_its_refusals_name_the_key() -> None:
    def shout(value: Any) -> bytes:
        if value == "no":
            raise PayloadError("", "/x", "str", "say yes")
        return str(value).upper().encode()

    assert encode_data({"a": "b"}, shout) == {"a": b"B"}
    assert changed_keys({"a": b"B"}, {"a": "b", "c": "d"}, shout).changed == {"c": b"D"}
    assert decode_data({"a": b"B"}, bytes.decode) == {"a": "B"}
    with pytest.raises(PayloadError, match="data key 'a': value of type str at /x cannot be stored; say yes"):
        encode_value("a", "no", shout)


def test_size_counts_keys_and_values_in_bytes() -> None:
    data = encode_data({"é": "é", "a": 1})
    assert data_size(data) == 2 + 4 + 1 + 1
    assert data_size({}) == 0
    check_data_size(data, 8)
    with pytest.raises(PayloadTooLargeError, match=r"largest key 'é'.* would take 8 bytes.* limit of 7") as caught:
        check_data_size(data, 7)
    assert (caught.value.size, caught.value.limit) == (8, 7)


def test_values_are_shown_as_plain_json() -> None:
    value = {
        "none": None,
        "flag": True,
        "number": 1.5,
        "at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "local": datetime(2026, 7, 2, tzinfo=BERLIN),
        "day": date(2026, 1, 2),
        "span": timedelta(days=1, seconds=2),
        "price": Decimal("1.50"),
        "id": UUID(int=1),
        "raw": b"\xff",
        "pair": (1, {2, 1}),
        "set": frozenset({"b", "a"}),
        "state": Struct(),
        "odd": Path("/tmp"),
        "colour": Colour.RED,
    }
    shown = to_json_value(value)
    assert shown == json.loads(json.dumps(shown))
    assert shown == {
        "none": None,
        "flag": True,
        "number": 1.5,
        "at": "2026-01-02T03:04:05Z",
        "local": "2026-07-02T00:00:00+02:00",
        "day": "2026-01-02",
        "span": "P1DT2S",
        "price": "1.50",
        "id": "00000000-0000-0000-0000-000000000001",
        "raw": "/w==",
        "pair": [1, [1, 2]],
        "set": ["a", "b"],
        "state": {"a": 1},
        "odd": "/tmp",
        "colour": "red",
    }


@given(VALUES)
def test_every_value_that_can_be_stored_can_be_shown(value: Any) -> None:
    json.dumps(to_json_value(value), allow_nan=False)


@given(VALUES)
def test_the_default_codec_gives_back_what_it_got(value: Any) -> None:
    codec = JsonCodec()
    assert exact(codec.decode(codec.encode(value))) == exact(value)


def test_a_value_met_with_little_stack_left_is_refused_as_too_deep() -> None:
    value: Any = 1
    for _ in range(MAX_DEPTH - 1):
        value = [value]

    def dive(levels: int) -> bytes:
        return dive(levels - 1) if levels else encode_payload(value)

    with pytest.raises(PayloadError, match="nested deeper"):
        dive(sys.getrecursionlimit() - len(inspect.stack()) - 50)
