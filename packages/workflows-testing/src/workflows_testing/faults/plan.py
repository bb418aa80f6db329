"""Which calls go wrong, and how: chosen by their count, or by chance with a seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Self, TypeVar

from workflows_testing.faults.fault import Fault

__all__ = ["FaultPlan", "Injected"]

FaultT = TypeVar("FaultT", bound=Fault)


@dataclass(frozen=True, slots=True)
class Injected:
    """A fault that befell a call.

    Attributes:
        method: The method that was called.
        nth: Which call of that method it was, from 1.
        fault: What went wrong.
    """

    method: str
    nth: int
    fault: Fault


@dataclass(frozen=True, slots=True)
class _Rule:
    method: str
    faults: Sequence[Fault]
    nth: int | None = None
    rate: float = 1.0


class FaultPlan:
    """Says of each call whether it goes wrong.

    A plan counts the calls that it is asked about, so that several wrappers over one plan count together. The rules are tried in the
    order in which they were given, and the first that fits decides. The same seed and the same calls give the same faults.

    Attributes:
        injected: The faults that happened so far, in order: a test that hopes for a fault should look whether it came.
    """

    def __init__(self, seed: int = 0) -> None:
        """Begin a plan in which nothing goes wrong yet.

        Args:
            seed: Decides what `randomly` does.
        """
        self.injected: list[Injected] = []
        self._random = Random(seed)
        self._rules: list[_Rule] = []
        self._calls: Counter[tuple[type[Fault], str]] = Counter()
        self._is_over = False

    def on(self, method: str, *, fault: Fault, nth: int | None = None) -> Self:
        """Let a call go wrong.

        Args:
            method: Name of the method.
            fault: What happens to it.
            nth: Which call, from 1; None is every call.

        Returns:
            The plan itself, for the next rule.

        Raises:
            ValueError: The fault cannot befall that method, or there is no such call.
        """
        if nth is not None and nth < 1:
            msg = f"calls are counted from 1, so there is no call number {nth} of {method!r}"
            raise ValueError(msg)
        return self._add(_Rule(method, [fault], nth))

    def randomly(self, *methods: str, rate: float, faults: Sequence[Fault]) -> Self:
        """Let calls go wrong by chance.

        Args:
            *methods: Names of the methods.
            rate: Which part of the calls, from 0 to 1.
            faults: One of these happens, each as often as the others.

        Returns:
            The plan itself, for the next rule.

        Raises:
            ValueError: One of the faults cannot befall one of the methods, or there is nothing to choose from.
        """
        if not methods or not faults or not 0 <= rate <= 1:
            msg = "say which methods go wrong, how often (rate=0 … 1), and at least one fault"
            raise ValueError(msg)
        for method in methods:
            self._add(_Rule(method, tuple(faults), None, rate))
        return self

    def end(self) -> None:
        """From now on nothing goes wrong."""
        self._is_over = True

    def next(self, method: str, kind: type[FaultT]) -> FaultT | None:
        """Count a call; the fault of this kind that befalls it, or None. For those who write wrappers."""
        self._calls[kind, method] += 1
        if self._is_over:
            return None
        nth = self._calls[kind, method]
        for rule in self._rules:
            if rule.method != method or rule.nth not in (None, nth) or not isinstance(rule.faults[0], kind):
                continue
            if rule.rate < 1 and self._random.random() >= rule.rate:
                continue
            fault = rule.faults[0] if len(rule.faults) == 1 else self._random.choice(rule.faults)
            if isinstance(fault, kind):
                self.injected.append(Injected(method, nth, fault))
                return fault
        return None

    def _add(self, rule: _Rule) -> Self:
        for fault in rule.faults:
            if rule.method not in fault.methods:
                possible = ", ".join(sorted(fault.methods))
                msg = f"{fault!r} cannot befall {rule.method!r}; it can befall {possible}"
                raise ValueError(msg)
        self._rules.append(rule)
        return self
