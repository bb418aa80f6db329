"""What the text of a function tells before it ever runs: the successors that it returns, and whether it does anything."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

__all__ = ["SourceUnavailableError", "annotated_constants", "is_empty", "returned_constants", "returns_nothing"]

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


class SourceUnavailableError(Exception):
    """The text of a function cannot be read."""


def returned_constants(function: Callable[..., Any]) -> tuple[str, ...]:
    """The string constants that a function returns, alone, in a list or in a conditional expression; in order, each once.

    Raises:
        SourceUnavailableError: The text of the function cannot be read.
    """
    found = dict.fromkeys(
        text
        for statement in _statements(_parse(function))
        if isinstance(statement, ast.Return) and statement.value is not None
        for text in _constants(statement.value)
    )
    return tuple(found)


def annotated_constants(function: Callable[..., Any]) -> tuple[str, ...]:
    """The strings of a ``Literal`` return annotation, also inside a list or a union; empty if there is none that can be read."""
    return tuple(dict.fromkeys(_literals(_return_hint(function))))


def returns_nothing(function: Callable[..., Any]) -> bool:
    """Whether a function is annotated to return None."""
    return getattr(function, "__annotations__", {}).get("return", "") in (None, "None", type(None))


def is_empty(function: Callable[..., Any]) -> bool:
    """Whether the body of a function is nothing but a docstring, ``...`` or ``pass``; False if its text cannot be read."""
    try:
        body = _parse(function).body
    except SourceUnavailableError:
        return False
    return all(
        isinstance(statement, ast.Pass)
        or (
            isinstance(statement, ast.Expr)
            and isinstance(statement.value, ast.Constant)
            and (statement.value.value is ... or isinstance(statement.value.value, str))
        )
        for statement in body
    )


def _parse(function: Callable[..., Any]) -> Function:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError) as error:
        raise SourceUnavailableError(str(error)) from error
    definition = tree.body[0] if tree.body else None
    if not isinstance(definition, Function):
        raise SourceUnavailableError("it is not written as a function of its own")
    return definition


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """All statements of a function in order, without those of functions and classes inside it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt) and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield child
            yield from _statements(child)
        elif isinstance(child, ast.ExceptHandler | ast.match_case):
            yield from _statements(child)


def _constants(value: ast.expr) -> Iterator[str]:
    match value:
        case ast.Constant(value=str() as text):
            yield text
        case ast.IfExp(body=body, orelse=orelse):
            yield from _constants(body)
            yield from _constants(orelse)
        case ast.List(elts=items) | ast.Tuple(elts=items):
            for item in items:
                yield from _constants(item)


def _return_hint(function: Callable[..., Any]) -> Any:
    """The return annotation, evaluated by itself, so that a name that only another annotation lacks does not matter."""
    original = inspect.unwrap(function)

    def probe() -> None: ...

    probe.__annotations__ = {"return": getattr(original, "__annotations__", {}).get("return")}
    try:
        return get_type_hints(probe, globalns=getattr(original, "__globals__", {})).get("return")
    except (NameError, TypeError, AttributeError, SyntaxError):
        return None


def _literals(hint: Any) -> Iterator[str]:
    if get_origin(hint) is Literal:
        yield from (value for value in get_args(hint) if isinstance(value, str))
        return
    for part in get_args(hint):
        yield from _literals(part)
