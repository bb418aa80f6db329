"""How branches add to one key."""

from __future__ import annotations

from typing import Any

import pytest

from workflows_core import ReducerError
from workflows_core.domain.reducers import MISSING, REDUCERS, reduce_value


@pytest.mark.parametrize(
    ("reducer", "current", "value", "expected"),
    [
        ("sum", MISSING, 2, 2),
        ("sum", 3, 2, 5),
        ("append", MISSING, "ann", ["ann"]),
        ("append", ["ann"], "bob", ["ann", "bob"]),
        ("extend", ["ann"], ["bob", "ann"], ["ann", "bob", "ann"]),
        ("union", ["ann"], ["bob", "ann"], ["ann", "bob"]),
        ("merge", MISSING, {"a": 1}, {"a": 1}),
        ("merge", {"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ("max", 3, 5, 5),
        ("min", 3, 5, 3),
    ],
)
def test_a_reducer_adds_a_value(reducer: str, current: Any, value: Any, expected: Any) -> None:
    assert reduce_value("key", reducer, current, value) == expected


@pytest.mark.parametrize("reducer", ["extend", "union"])
def test_text_is_not_taken_for_a_list_of_letters(reducer: str) -> None:
    with pytest.raises(ReducerError, match="text is one value"):
        reduce_value("names", reducer, MISSING, "ann")


def test_an_unknown_reducer_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ReducerError, match="append"):
        reduce_value("key", "add", MISSING, 1)


@pytest.mark.parametrize("reducer", sorted(set(REDUCERS) - {"append", "union", "extend", "merge"}))
def test_values_that_do_not_fit_are_refused_by_key(reducer: str) -> None:
    with pytest.raises(ReducerError, match="'key'"):
        reduce_value("key", reducer, 1, "text")
