"""Turns a checked syntax tree into nested closures: parsed once, then only calls of Python functions.

Frequent shapes (a name, a comparison of a name with a constant) have closures of their own, because conditions are
evaluated for every edge that a token may take.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from workflows_core.domain.expression_operations import (
    BINARY_OPERATORS,
    COMPARISONS,
    EXISTS,
    FUNCTIONS,
    UNARY_OPERATORS,
    lookup,
    subscript,
)

__all__ = ["ClosureBuilder", "Evaluate", "Values"]

Values: TypeAlias = Mapping[str, Any]
Evaluate: TypeAlias = Callable[[Values], Any]

_ABSENT: Final = object()


class ClosureBuilder:
    """Compiles one checked tree and collects what it reads.

    Attributes:
        names: Top-level names that the expression reads.
        paths: How to read every name with its fields (``forms.review.approved``), for messages.
    """

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.paths: dict[str, Evaluate] = {}
        self._builders: Mapping[type[ast.expr], Callable[[Any], Evaluate]] = {
            ast.Attribute: self._path,
            ast.BinOp: self._binary,
            ast.BoolOp: self._logical,
            ast.Call: self._call,
            ast.Compare: self._compare,
            ast.Constant: self._constant,
            ast.Dict: self._dict,
            ast.IfExp: self._conditional,
            ast.List: self._list,
            ast.Name: self._path,
            ast.Set: self._set,
            ast.Slice: self._slice,
            ast.Subscript: self._path,
            ast.Tuple: self._tuple,
            ast.UnaryOp: self._unary,
        }

    def build(self, node: ast.expr) -> Evaluate:
        """Compile `node`; it must have been checked by `parse_expression`."""
        return self._builders[type(node)](node)

    def _path(self, node: ast.expr) -> Evaluate:
        """Compile a name, a field or a subscript, and remember the outermost one."""
        read = self._read(node)
        if isinstance(node, ast.Name | ast.Attribute):
            self.paths[ast.unparse(node)] = read
        return read

    def _read(self, node: ast.expr) -> Evaluate:
        """Compile like `build`, but do not remember the parts of a path."""
        if isinstance(node, ast.Name):
            self.names.add(node.id)
            return operator.methodcaller("get", node.id)
        if isinstance(node, ast.Attribute):
            container, key = self._read(node.value), node.attr
            return lambda values: lookup(container(values), key)
        if isinstance(node, ast.Subscript):
            container, index = self.build(node.value), self.build(node.slice)
            return lambda values: subscript(container(values), index(values))
        return self.build(node)

    def _constant(self, node: ast.Constant) -> Evaluate:
        value = node.value
        return lambda _values: value

    def _logical(self, node: ast.BoolOp) -> Evaluate:
        operands = tuple(map(self.build, node.values))
        if len(operands) == 2:
            return _both(*operands) if isinstance(node.op, ast.And) else _either(*operands)
        *firsts, last = operands
        return _all_of(tuple(firsts), last) if isinstance(node.op, ast.And) else _any_of(tuple(firsts), last)

    def _conditional(self, node: ast.IfExp) -> Evaluate:
        test, body, orelse = self.build(node.test), self.build(node.body), self.build(node.orelse)
        return lambda values: body(values) if test(values) else orelse(values)

    def _unary(self, node: ast.UnaryOp) -> Evaluate:
        apply, operand = UNARY_OPERATORS[type(node.op).__name__], self.build(node.operand)
        return lambda values: apply(operand(values))

    def _binary(self, node: ast.BinOp) -> Evaluate:
        apply = BINARY_OPERATORS[type(node.op).__name__]
        left, right = self.build(node.left), self.build(node.right)
        return lambda values: apply(left(values), right(values))

    def _compare(self, node: ast.Compare) -> Evaluate:
        comparisons = [COMPARISONS[type(op).__name__] for op in node.ops]
        if len(comparisons) > 1:
            return _chain(
                self.build(node.left), tuple(zip(comparisons, map(self.build, node.comparators), strict=True))
            )
        compare, right = comparisons[0], _constant_of(node.comparators[0], node.ops[0])
        left = self.build(node.left)
        if right is _ABSENT:
            return _compare_values(compare, left, self.build(node.comparators[0]))
        if isinstance(node.left, ast.Name):
            return _compare_name(compare, node.left.id, right)
        return lambda values: compare(left(values), right)

    def _list(self, node: ast.List) -> Evaluate:
        items = tuple(map(self.build, node.elts))
        return lambda values: [item(values) for item in items]

    def _tuple(self, node: ast.Tuple) -> Evaluate:
        items = tuple(map(self.build, node.elts))
        return lambda values: tuple([item(values) for item in items])

    def _set(self, node: ast.Set) -> Evaluate:
        items = tuple(map(self.build, node.elts))
        return lambda values: {item(values) for item in items}

    def _dict(self, node: ast.Dict) -> Evaluate:
        entries = tuple(
            (self.build(key), self.build(value)) for key, value in zip(node.keys, node.values, strict=True) if key
        )
        return lambda values: {key(values): value(values) for key, value in entries}

    def _slice(self, node: ast.Slice) -> Evaluate:
        parts = tuple(self.build(part) if part else _nothing for part in (node.lower, node.upper, node.step))
        return lambda values: slice(*[part(values) for part in parts])

    def _call(self, node: ast.Call) -> Evaluate:
        assert isinstance(node.func, ast.Name)
        if node.func.id == EXISTS:
            return self._exists(node.args[0])
        call = FUNCTIONS[node.func.id].call
        arguments = tuple(map(self.build, node.args))
        if len(arguments) == 1:
            argument = arguments[0]
            return lambda values: call(argument(values))
        return lambda values: call(*[argument(values) for argument in arguments])

    def _exists(self, node: ast.expr) -> Evaluate:
        """Compile a test for the key itself, which tells None from absent."""
        if isinstance(node, ast.Name):
            self.names.add(node.id)
            name = node.id
            return lambda values: name in values
        if isinstance(node, ast.Attribute):
            container, key = self.build(node.value), self._constant(ast.Constant(node.attr))
        else:
            assert isinstance(node, ast.Subscript)
            container, key = self.build(node.value), self.build(node.slice)
        return lambda values: _has(container(values), key(values))


def _nothing(_values: Values) -> None:
    return None


def _has(container: Any, key: Any) -> bool:
    if isinstance(container, Mapping):
        return key in container
    if isinstance(container, (list, tuple, str)) and isinstance(key, int):
        return -len(container) <= key < len(container)
    return False


def _both(left: Evaluate, right: Evaluate) -> Evaluate:
    return lambda values: left(values) and right(values)


def _either(left: Evaluate, right: Evaluate) -> Evaluate:
    return lambda values: left(values) or right(values)


def _all_of(firsts: tuple[Evaluate, ...], last: Evaluate) -> Evaluate:
    def evaluate(values: Values) -> Any:
        for operand in firsts:
            result = operand(values)
            if not result:
                return result
        return last(values)

    return evaluate


def _any_of(firsts: tuple[Evaluate, ...], last: Evaluate) -> Evaluate:
    def evaluate(values: Values) -> Any:
        for operand in firsts:
            result = operand(values)
            if result:
                return result
        return last(values)

    return evaluate


def _compare_name(compare: Callable[[Any, Any], Any], name: str, right: Any) -> Evaluate:
    return lambda values: compare(values.get(name), right)


def _compare_values(compare: Callable[[Any, Any], Any], left: Evaluate, right: Evaluate) -> Evaluate:
    return lambda values: compare(left(values), right(values))


def _chain(first: Evaluate, rest: tuple[tuple[Callable[[Any, Any], Any], Evaluate], ...]) -> Evaluate:
    def evaluate(values: Values) -> Any:
        left = first(values)
        result: Any = True
        for compare, operand in rest:
            right = operand(values)
            result = compare(left, right)
            if not result:
                return result
            left = right
        return result

    return evaluate


def _constant_of(node: ast.expr, compared_by: ast.cmpop) -> Any:
    """The value of a literal that the comparison may keep; a list of constants only to look into it, as it can be changed."""
    if isinstance(node, ast.Constant):
        return node.value
    is_membership = isinstance(compared_by, ast.In | ast.NotIn)  # codespell:ignore notin
    if is_membership and isinstance(node, ast.List | ast.Tuple | ast.Set):
        items = [item.value for item in node.elts if isinstance(item, ast.Constant)]
        if len(items) == len(node.elts):
            return frozenset(items) if isinstance(node, ast.Set) else tuple(items)
    return _ABSENT
