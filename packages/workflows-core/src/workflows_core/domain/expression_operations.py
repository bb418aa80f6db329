"""The operators and functions of the condition language: Python's, with their results bounded.

A condition is data, possibly written by somebody who is not the owner of the process. So whatever could make a small
condition cost much time or memory is bounded here: there is no repetition of sequences, and numbers and concatenated
sequences stop growing at a limit. Everything raises Python's own errors, which the expression translates.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

__all__ = [
    "BINARY_OPERATORS",
    "COMPARISONS",
    "EXISTS",
    "FUNCTIONS",
    "MAX_INTEGER_BITS",
    "MAX_SEQUENCE_LENGTH",
    "UNARY_OPERATORS",
    "Function",
    "lookup",
    "subscript",
]

MAX_INTEGER_BITS: Final = 1024
"""An integer with more bits is refused, as a literal and as the result of an operation."""
MAX_SEQUENCE_LENGTH: Final = 100_000
"""Text or a list that an operation would make longer is refused."""

_LARGEST: Final = 2**MAX_INTEGER_BITS - 1
_MAX_DIGITS: Final = 308
_NUMBERS: Final = "a number"


def lookup(container: Any, key: str) -> Any:
    """Read `container.key`: always an entry of a mapping, never an attribute; absent is None, and so is a field of None."""
    if type(container) is dict:
        return container.get(key)
    if container is None:
        return None
    if isinstance(container, Mapping):
        return container.get(key)
    raise TypeError(f"{_kind(container)} has no field {key!r}")


def subscript(container: Any, key: Any) -> Any:
    """Read `container[key]`: an absent entry of a mapping is None as in `lookup`; a list index must exist."""
    if container is None:
        return None
    if isinstance(container, Mapping):
        return container.get(key)
    if isinstance(container, (list, tuple, str)):
        return container[key]
    raise TypeError(f"{_kind(container)} has no items that can be read by position")


def _kind(value: Any) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"


def _bounded(result: Any) -> Any:
    if isinstance(result, int):
        if not -_LARGEST <= result <= _LARGEST:
            raise OverflowError(f"the result has more than {MAX_INTEGER_BITS} bits")
    elif isinstance(result, (str, list, tuple, bytes)) and len(result) > MAX_SEQUENCE_LENGTH:
        raise OverflowError(f"the result is longer than {MAX_SEQUENCE_LENGTH}")
    return result


def _add(left: Any, right: Any) -> Any:
    return _bounded(left + right)


def _subtract(left: Any, right: Any) -> Any:
    return _bounded(left - right)


def _multiply(left: Any, right: Any) -> Any:
    for operand in (left, right):
        if isinstance(operand, (str, bytes, list, tuple)):
            raise TypeError("'*' multiplies numbers; text and lists cannot be repeated")
        if isinstance(operand, int) and not -_LARGEST <= operand <= _LARGEST:
            raise OverflowError(f"an operand of '*' has more than {MAX_INTEGER_BITS} bits")
    return _bounded(left * right)


def _modulo(left: Any, right: Any) -> Any:
    if isinstance(left, (str, bytes)):
        raise TypeError("'%' is the remainder of numbers; text cannot be formatted")
    return left % right


BINARY_OPERATORS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "Add": _add,
    "Sub": _subtract,
    "Mult": _multiply,
    "Div": operator.truediv,
    "FloorDiv": operator.floordiv,
    "Mod": _modulo,
}
"""Arithmetic, by the name of its syntax node."""

UNARY_OPERATORS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "Not": operator.not_,
    "USub": operator.neg,
    "UAdd": operator.pos,
}
"""Operators with one operand, by the name of their syntax node."""


def _is_in(item: Any, container: Any) -> bool:
    return item in container


def _is_not_in(item: Any, container: Any) -> bool:
    return item not in container


COMPARISONS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "Eq": operator.eq,
    "NotEq": operator.ne,
    "Lt": operator.lt,
    "LtE": operator.le,
    "Gt": operator.gt,
    "GtE": operator.ge,
    "In": _is_in,
    "NotIn": _is_not_in,  # codespell:ignore notin
    "Is": operator.is_,
    "IsNot": operator.is_not,
}
"""Comparisons, by the name of their syntax node."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function that a condition may call.

    Attributes:
        signature: How it is written, for messages.
        call: What it does; pure.
        least: Fewest arguments.
        most: Most arguments; None for any number.
    """

    signature: str
    call: Callable[..., Any]
    least: int = 1
    most: int | None = 1

    def accepts(self, count: int) -> bool:
        """Whether it can be called with `count` arguments."""
        return self.least <= count and (self.most is None or count <= self.most)


def _text(function: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{function}() takes text, got {_kind(value)}")
    return value


def _lower(value: Any) -> str:
    return _text("lower", value).lower()


def _upper(value: Any) -> str:
    return _text("upper", value).upper()


def _starts_with(value: Any, prefix: Any) -> bool:
    return _text("startswith", value).startswith(_text("startswith", prefix))


def _ends_with(value: Any, suffix: Any) -> bool:
    return _text("endswith", value).endswith(_text("endswith", suffix))


def _contains(container: Any, item: Any) -> bool:
    return item in container


def _sum(values: Any) -> Any:
    return _bounded(sum(values))


def _short_number(function: str, value: Any) -> Any:
    """Refuse a decimal like 1E+999999, whose integer would fill the memory."""
    if isinstance(value, Decimal) and value.is_finite() and value.adjusted() > _MAX_DIGITS:
        raise OverflowError(f"{function}() takes {_NUMBERS} of at most {_MAX_DIGITS} digits")
    return value


def _round(value: Any, digits: Any = None) -> Any:
    if digits is not None and not -_MAX_DIGITS <= digits <= _MAX_DIGITS:
        raise OverflowError(f"round() keeps between -{_MAX_DIGITS} and {_MAX_DIGITS} digits")
    return _bounded(round(_short_number("round", value), digits))


def _int(value: Any) -> int:
    integer: int = _bounded(int(_short_number("int", value)))
    return integer


def _str(value: Any) -> str:
    if isinstance(value, (Mapping, list, tuple, set, frozenset, bytes)):
        raise TypeError(f"str() takes text, {_NUMBERS} or a date, got {_kind(value)}")
    return str(value)


EXISTS: Final = "exists"
"""The one function that looks at a name instead of its value; the compiler knows it by this name."""

FUNCTIONS: Final[Mapping[str, Function]] = {
    "abs": Function("abs(number)", abs),
    "all": Function("all(list)", all),
    "any": Function("any(list)", any),
    "bool": Function("bool(value)", bool),
    "contains": Function("contains(list_or_text, item)", _contains, 2, 2),
    "endswith": Function("endswith(text, suffix)", _ends_with, 2, 2),
    EXISTS: Function("exists(name)", bool),
    "float": Function("float(value)", float),
    "int": Function("int(value)", _int),
    "len": Function("len(list_or_text)", len),
    "lower": Function("lower(text)", _lower),
    "max": Function("max(list) or max(a, b)", max, 1, None),
    "min": Function("min(list) or min(a, b)", min, 1, None),
    "round": Function("round(number) or round(number, digits)", _round, 1, 2),
    "startswith": Function("startswith(text, prefix)", _starts_with, 2, 2),
    "str": Function("str(value)", _str),
    "sum": Function("sum(list)", _sum),
    "upper": Function("upper(text)", _upper),
}
"""Every function of the language, by name."""
