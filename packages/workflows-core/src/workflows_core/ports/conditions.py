"""Port: the language of conditions."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol

from workflows_core.domain.program import Condition

__all__ = ["ConditionEvaluator"]


class ConditionEvaluator(Protocol):
    """Compiles the expressions of edges, selectors and sources."""

    @abstractmethod
    def compile(self, source: str, names: frozenset[str] | None = None) -> Condition:
        """Compile an expression; called when a definition is built or loaded, never while a step runs.

        Args:
            source: The expression.
            names: Data keys that exist; None when any may. Others are errors.

        Returns:
            A condition that can be evaluated any number of times, from any thread, without side effects, in bounded time.

        Raises:
            ExpressionError: It does not parse, or uses what is not allowed; says where and why.
        """
