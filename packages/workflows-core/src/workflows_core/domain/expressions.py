"""Conditions as text: a small, safe language with Python's syntax, compiled once and evaluated often.

What there is::

    amount > 1000 and status == "approved"        comparisons, also chained; and, or, not
    forms.review.approved                         an entry of a mapping; None where it, or anything before it, is absent
    order["customer id"], items[0], code[:2]      subscripts and slices
    country in ["DE", "AT"], note is None         membership; `is` with None only
    (net + tax) * 2 // 3 % 7                      + - * / // %, without repetition and formatting of text
    "express" if urgent else "normal"             and literals: text, numbers, True, False, None, lists, tuples, sets, dicts
    len(items) > 3, startswith(name, "x")         the functions of `expression_operations.FUNCTIONS`

Names are top-level keys of the data. A name that the data do not have is None; `exists(name)` tells absent from None. There is
no way to reach an attribute, a method, a module or the clock, so the result depends on the data alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from workflows_core.domain.expression_closures import ClosureBuilder, Evaluate
from workflows_core.domain.expression_operations import MAX_INTEGER_BITS
from workflows_core.domain.expression_syntax import parse_expression
from workflows_core.errors import ConditionError

__all__ = ["Expression", "compile_expression"]

_FAILURES: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)
_SHOWN_CHARACTERS: Final = 60


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled condition; immutable, and safe to share between threads.

    Attributes:
        source: The text that was compiled.
        names: Top-level names that it reads, also those it reads only in some cases.
    """

    source: str
    names: frozenset[str]
    _evaluate: Evaluate = field(repr=False, compare=False)
    _paths: Mapping[str, Evaluate] = field(repr=False, compare=False)

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Compute the value of the expression; the data are not changed, and only the names needed are read.

        Raises:
            ConditionError: The data do not fit: a wrong type, a division by zero, an index out of range, too large a result.
        """
        try:
            return self._evaluate(values)
        except _FAILURES as error:
            raise self._failure(values, error) from error

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether the expression is true, as `bool` has it: None, 0 and what is empty are not.

        Raises:
            ConditionError: As `evaluate`.
        """
        try:
            return bool(self._evaluate(values))
        except _FAILURES as error:
            raise self._failure(values, error) from error

    def _failure(self, values: Mapping[str, Any], error: Exception) -> ConditionError:
        seen = {path: _seen(evaluate, values) for path, evaluate in self._paths.items()}
        reason = str(error) or type(error).__name__
        absent = [path for path, value in seen.items() if value is None]
        if absent and isinstance(error, TypeError) and "None" in reason:
            reason = f"{reason}; begin with `{absent[0]} is not None and`"
        return ConditionError(self.source, reason, seen)


def compile_expression(source: str, names: frozenset[str] | None = None) -> Expression:
    """Compile a condition; equal arguments give the same object while it is remembered.

    Args:
        source: The condition, at most 2000 characters; see the module for the language.
        names: Names that the data can have; others are then refused. None allows any name.

    Raises:
        ExpressionError: It is not a condition of this language; says where, and what to write instead.
    """
    return _compile(source, names)


@lru_cache(maxsize=2048)
def _compile(source: str, names: frozenset[str] | None) -> Expression:
    tree = parse_expression(source, names)
    builder = ClosureBuilder()
    evaluate = builder.build(tree)
    return Expression(source, frozenset(builder.names), evaluate, builder.paths)


def _seen(evaluate: Evaluate, values: Mapping[str, Any]) -> Any:
    """A value as an error message shows it: short, and safe to print and to pickle."""
    try:
        value = evaluate(values)
    except _FAILURES:
        return "<not readable>"
    if isinstance(value, str):
        return value if len(value) <= _SHOWN_CHARACTERS else f"{value[:_SHOWN_CHARACTERS]}…"
    if isinstance(value, int) and value.bit_length() > MAX_INTEGER_BITS:
        return f"<integer of {value.bit_length()} bits>"
    if isinstance(value, (Mapping, list, tuple, set, frozenset)):
        return f"<{type(value).__name__} of {len(value)}>"
    return value
