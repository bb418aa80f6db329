"""The default language of conditions: a small, safe subset of Python expressions."""

from __future__ import annotations

from workflows_core.domain.expressions import compile_expression
from workflows_core.domain.program import Condition
from workflows_core.ports.conditions import ConditionEvaluator

__all__ = ["SafeExpressions"]


class SafeExpressions(ConditionEvaluator):
    """Compiles conditions with `workflows_core.domain.expressions`."""

    def compile(self, source: str, names: frozenset[str] | None = None) -> Condition:
        """Compile an expression; see the port."""
        return compile_expression(source, names)
