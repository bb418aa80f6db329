"""Which conditions are well formed: parses a condition and refuses all that the language does not have.

Python's own parser makes the tree; nothing of it is ever run as Python. A node is refused unless it is listed here.
"""

from __future__ import annotations

import ast
import difflib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NoReturn

from workflows_core.domain.expression_operations import (
    BINARY_OPERATORS,
    EXISTS,
    FUNCTIONS,
    MAX_INTEGER_BITS,
    UNARY_OPERATORS,
)
from workflows_core.errors import ExpressionError

__all__ = ["MAX_DEPTH", "MAX_NODES", "MAX_SOURCE_LENGTH", "parse_expression"]

MAX_SOURCE_LENGTH: Final = 2000
"""Longest condition, in characters."""
MAX_NODES: Final = 500
"""Most parts (names, constants, operators with operands) of a condition."""
MAX_DEPTH: Final = 50
"""Deepest nesting of a condition."""

_FOREIGN_WORDS: Final[Mapping[str, str]] = {
    "true": "True",
    "false": "False",
    "null": "None",
    "none": "None",
    "nil": "None",
    "undefined": "None",
    "TRUE": "True",
    "FALSE": "False",
    "NULL": "None",
    "NONE": "None",
}
_FOREIGN_SYNTAX: Final = (
    (re.compile(r"&&"), "'&&' is not an operator; write 'and'"),
    (re.compile(r"\|\|"), "'||' is not an operator; write 'or'"),
    (re.compile(r"[=!]=="), "'===' is not an operator; write '==' or '!='"),
    (re.compile(r"!(?!=)"), "'!' is not an operator; write 'not'"),
    (re.compile(r":="), "names cannot be assigned; write '==' to compare"),
    (re.compile(r"(?<![=!<>:])=(?!=)"), "names cannot be assigned; write '==' to compare"),
    (re.compile(r"<>"), "'<>' is not an operator; write '!='"),
    (re.compile(r"\?"), "'?' is not an operator; write 'a if condition else b'"),
)
_TEXT_LITERAL: Final = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_KNOWN_ESCAPES: Final = frozenset("\\'\"abfnrtvxuUN\n\r")
_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)?")
_REFUSED_OPERATORS: Final[Mapping[str, str]] = {
    "BitAnd": "'&' is not allowed; write 'and'",
    "BitOr": "'|' is not allowed; write 'or'",
    "BitXor": "'^' is not allowed; write '!='",
    "Invert": "'~' is not allowed; write 'not'",
    "LShift": "'<<' is not allowed; multiply instead",
    "MatMult": "'@' is not allowed; multiply numbers with '*'",
    "Pow": "'**' is not allowed; write 'x * x'",
    "RShift": "'>>' is not allowed; divide with '//' instead",
}
_REFUSED_NODES: Final[Mapping[str, str]] = {
    "Await": "'await' is not allowed; a condition only reads data",
    "DictComp": "comprehensions are not allowed; compute the value in a step",
    "GeneratorExp": "comprehensions are not allowed; compute the value in a step",
    "JoinedStr": "f-strings are not allowed; compare the values themselves",
    "Lambda": "'lambda' is not allowed; write the condition itself",
    "ListComp": "comprehensions are not allowed; compute the value in a step",
    "NamedExpr": "names cannot be assigned; write '==' to compare",
    "SetComp": "comprehensions are not allowed; compute the value in a step",
    "Starred": "'*' before a value is not allowed; write the values one by one",
    "Yield": "'yield' is not allowed; a condition only reads data",
    "YieldFrom": "'yield' is not allowed; a condition only reads data",
}


def parse_expression(source: str, names: frozenset[str] | None = None) -> ast.expr:
    """Parse a condition and check every part of it.

    Args:
        source: The condition; it may span lines inside parentheses.
        names: Names that the data may have; None allows any.

    Raises:
        ExpressionError: The condition is too long or too deep, does not parse, or uses what the language does not have.
    """
    return _Parser(source, names).parse()


class _Parser:
    """Parses one condition; knows how to point at a place in it."""

    def __init__(self, source: str, names: frozenset[str] | None) -> None:
        self._source = source
        self._names = names
        self._indent = len(source) - len(source.lstrip())
        self._text = source.strip()
        self._checks: Mapping[type[ast.expr], Callable[[Any], Iterator[ast.expr]]] = {
            ast.Attribute: self._attribute,
            ast.BinOp: self._binary,
            ast.BoolOp: self._children,
            ast.Call: self._call,
            ast.Compare: self._compare,
            ast.Constant: self._constant,
            ast.Dict: self._dict,
            ast.IfExp: self._children,
            ast.List: self._children,
            ast.Name: self._name,
            ast.Set: self._children,
            ast.Slice: self._children,
            ast.Subscript: self._children,
            ast.Tuple: self._children,
            ast.UnaryOp: self._unary,
        }

    def parse(self) -> ast.expr:
        if len(self._source) > MAX_SOURCE_LENGTH:
            self._refuse(MAX_SOURCE_LENGTH, f"a condition has at most {MAX_SOURCE_LENGTH} characters")
        if not self._text:
            self._refuse(0, "the condition is empty; leave it out to hold always")
        for escape in _ESCAPE.finditer(self._source):
            if escape[1] not in _KNOWN_ESCAPES:
                self._refuse(escape.start(), f"'\\{escape[1]}' is not an escape; write '\\\\' for a backslash")
        root = self._tree()
        self._check(root)
        return root

    def _tree(self) -> ast.expr:
        try:
            return ast.parse(self._text, mode="eval").body
        except SyntaxError as error:
            self._explain(error)
        except (ValueError, OverflowError):
            self._refuse(0, "the condition has characters or numbers that cannot be read")
        except (RecursionError, MemoryError):
            self._refuse(0, f"the condition is nested deeper than {MAX_DEPTH} levels; compute part of it in a step")

    def _explain(self, error: SyntaxError) -> NoReturn:
        """Say what is wrong in the words of somebody who knows another language."""
        code = _TEXT_LITERAL.sub(lambda match: "_" * len(match[0]), self._text)
        for pattern, reason in _FOREIGN_SYNTAX:
            if found := pattern.search(code):
                self._refuse(self._indent + found.start(), reason)
        if "\n" in code or "\r" in code:
            self._refuse(0, "the condition does not parse; put one that spans lines in parentheses")
        if not error.offset:
            self._refuse(self._indent + len(self._text), "the condition does not parse: it ends too soon")
        self._refuse(
            min(self._indent + error.offset - 1, len(self._source)), f"the condition does not parse: {error.msg}"
        )

    def _check(self, root: ast.expr) -> None:
        pending = [(root, 1)]
        count = 0
        while pending:
            node, depth = pending.pop()
            count += 1
            if depth > MAX_DEPTH:
                self._fault(
                    node, f"the condition is nested deeper than {MAX_DEPTH} levels; compute part of it in a step"
                )
            if count > MAX_NODES:
                self._fault(node, f"the condition has more than {MAX_NODES} parts; compute part of it in a step")
            check = self._checks.get(type(node))
            if check is None:
                kind = type(node).__name__
                self._fault(node, _REFUSED_NODES.get(kind, f"{kind} is not part of the condition language"))
            pending.extend(reversed([(child, depth + 1) for child in check(node)]))

    def _children(self, node: ast.expr) -> Iterator[ast.expr]:
        return (child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))

    def _attribute(self, node: ast.Attribute) -> Iterator[ast.expr]:
        self._not_private(node, node.attr)
        yield node.value

    def _binary(self, node: ast.BinOp) -> Iterator[ast.expr]:
        self._operator(node, node.op, BINARY_OPERATORS)
        return self._children(node)

    def _unary(self, node: ast.UnaryOp) -> Iterator[ast.expr]:
        self._operator(node, node.op, UNARY_OPERATORS)
        return self._children(node)

    def _operator(self, node: ast.expr, operator: ast.AST, allowed: Mapping[str, object]) -> None:
        kind = type(operator).__name__
        if kind not in allowed:
            self._fault(node, _REFUSED_OPERATORS.get(kind, f"{kind} is not part of the condition language"))

    def _compare(self, node: ast.Compare) -> Iterator[ast.expr]:
        operands = [node.left, *node.comparators]
        for operator, left, right in zip(node.ops, operands, operands[1:], strict=False):
            if isinstance(operator, ast.Is | ast.IsNot) and not (_is_none(left) or _is_none(right)):
                self._fault(right, "'is' compares with None only; write '==' or '!='")
        return self._children(node)

    def _constant(self, node: ast.Constant) -> Iterator[ast.expr]:
        value = node.value
        if value is not None and type(value) not in {bool, int, float, str}:
            self._fault(
                node,
                f"a constant of type {type(value).__name__} is not allowed; use text, a number, True, False or None",
            )
        if isinstance(value, int) and value.bit_length() > MAX_INTEGER_BITS:
            self._fault(node, f"the number has more than {MAX_INTEGER_BITS} bits")
        if isinstance(value, float) and not math.isfinite(value):
            self._fault(node, "the number is too large")
        yield from ()

    def _dict(self, node: ast.Dict) -> Iterator[ast.expr]:
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                self._fault(value, "'**' before a value is not allowed; write the entries one by one")
        return self._children(node)

    def _name(self, node: ast.Name) -> Iterator[ast.expr]:
        name = node.id
        self._not_private(node, name)
        if self._names is None or name not in self._names:
            if name in _FOREIGN_WORDS:
                self._fault(node, f"{name!r} is not a constant; write {_FOREIGN_WORDS[name]}")
            if self._names is not None:
                self._fault(node, f"unknown name {name!r}{_did_you_mean(name, self._names)}")
        yield from ()

    def _call(self, node: ast.Call) -> Iterator[ast.expr]:
        called = node.func
        if isinstance(called, ast.Attribute):
            self._fault(node, self._method_mend(node, called))
        if not isinstance(called, ast.Name):
            self._fault(node, "only named functions can be called")
        function = FUNCTIONS.get(called.id)
        if function is None:
            mend = _did_you_mean(called.id, FUNCTIONS) or f"; there are {', '.join(sorted(FUNCTIONS))}"
            self._fault(node, f"unknown function {called.id!r}{mend}")
        if node.keywords:
            self._fault(node.keywords[0].value, f"arguments have no names here; write {function.signature}")
        starred = [argument for argument in node.args if isinstance(argument, ast.Starred)]
        if not starred and not function.accepts(len(node.args)):
            self._fault(node, f"wrong number of arguments; write {function.signature}")
        if called.id == EXISTS and not _is_path(node.args[0]):
            self._fault(node.args[0], "exists() takes a name; write exists(order) or exists(order.customer)")
        yield from node.args

    def _method_mend(self, node: ast.Call, called: ast.Attribute) -> str:
        if called.attr not in FUNCTIONS:
            return f"methods cannot be called; there are the functions {', '.join(sorted(FUNCTIONS))}"
        arguments = [ast.get_source_segment(self._text, argument) or "…" for argument in [called.value, *node.args]]
        return f"methods cannot be called; write {called.attr}({', '.join(arguments)})"

    def _not_private(self, node: ast.expr, name: str) -> None:
        if name.startswith("__"):
            self._fault(node, f"{name!r} is not allowed: names that begin with two underscores cannot be read")

    def _fault(self, node: ast.expr, reason: str) -> NoReturn:
        self._refuse(self._position(node.lineno, node.col_offset), reason)

    def _position(self, line: int, byte_column: int) -> int:
        """Turn the parser's line and UTF-8 column into an index of the source."""
        lines = _LINE.findall(self._text)
        column = lines[line - 1].encode("utf-8", "surrogatepass")[:byte_column].decode("utf-8", "ignore")
        return self._indent + sum(map(len, lines[: line - 1])) + len(column)

    def _refuse(self, position: int, reason: str) -> NoReturn:
        """Raise; the source is shown on one line, so that a caret under it points at the right place."""
        raise ExpressionError(re.sub(r"\s", " ", self._source), position, reason)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_path(node: ast.expr) -> bool:
    """Whether the node is a name, or a chain of fields and constant subscripts that begins with one."""
    while not isinstance(node, ast.Name):
        if (isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant)) or isinstance(
            node, ast.Attribute
        ):
            node = node.value
        else:
            return False
    return True


def _did_you_mean(name: str, known: Mapping[str, object] | frozenset[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
