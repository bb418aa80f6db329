"""How parallel branches add to one data key without losing each other's values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from workflows_core.errors import ReducerError

__all__ = ["MISSING", "REDUCERS", "reduce_value"]

MISSING: Final = object()
"""Stands for a key that has no value yet."""


def _sum(current: Any, value: Any) -> Any:
    return value if current is MISSING else current + value


def _append(current: Any, value: Any) -> Any:
    return [value] if current is MISSING else [*current, value]


def _items(value: Any) -> Any:
    if isinstance(value, str | bytes):
        msg = "text is one value; use 'append', or add a list"
        raise TypeError(msg)
    return value


def _extend(current: Any, value: Any) -> Any:
    value = _items(value)
    return list(value) if current is MISSING else [*current, *value]


def _merge(current: Any, value: Any) -> Any:
    return dict(value) if current is MISSING else {**current, **value}


def _union(current: Any, value: Any) -> Any:
    known = [] if current is MISSING else list(current)
    return known + [item for item in _items(value) if item not in known]


def _max(current: Any, value: Any) -> Any:
    return value if current is MISSING else max(current, value)


def _min(current: Any, value: Any) -> Any:
    return value if current is MISSING else min(current, value)


REDUCERS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "append": _append,
    "extend": _extend,
    "max": _max,
    "merge": _merge,
    "min": _min,
    "sum": _sum,
    "union": _union,
}
"""Reducers by name: ``append`` an item, ``extend`` a list, ``merge`` a mapping, ``union`` of lists in order of arrival."""


def reduce_value(key: str, reducer: str, current: Any, value: Any) -> Any:
    """Add a value to the current one.

    Args:
        key: Data key, for the error.
        reducer: Name of the reducer.
        current: Current value, or `MISSING`.
        value: What is added.

    Raises:
        ReducerError: There is no such reducer, or it cannot take these values.
    """
    function = REDUCERS.get(reducer)
    if function is None:
        raise ReducerError(key, reducer, f"does not exist; use one of {', '.join(REDUCERS)}")
    try:
        return function(current, value)
    except (TypeError, ValueError) as error:
        raise ReducerError(key, reducer, f"cannot take {value!r}: {error}") from error
