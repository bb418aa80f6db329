"""Joins that may not do what their author expects: both run, or work waits for a timer.

These are warnings. Scopes of more than `MAX_STEPS` steps are not looked at, because the comparison grows with the square of their
number.
"""

from __future__ import annotations

from itertools import combinations
from typing import Final

from workflows_core.domain.graph import Edge, GatewayNode, TimerNode
from workflows_core.domain.types import Outcome
from workflows_core.domain.validation.concurrency import Concurrency, alternatives
from workflows_core.domain.validation.findings import Findings, about_step, listed
from workflows_core.domain.validation.view import GraphView

__all__ = ["MAX_STEPS", "check_overlaps"]

MAX_STEPS: Final = 400
"""Most steps of a scope that are compared with each other."""


def check_overlaps(view: GraphView) -> Findings:
    """Competing joins, and timers merged with work, scope by scope."""
    for scope in view.scopes:
        names = view.members(scope)
        joins = [name for name in names if len(view.forward_incoming(name)) > 1]
        if not joins or len(names) > MAX_STEPS:
            continue
        concurrency = Concurrency(view, scope)
        yield from _timers(view, joins, concurrency)
        yield from _competing(view, names, [name for name in joins if concurrency.waits(name)], concurrency)


def _timers(view: GraphView, joins: list[str], concurrency: Concurrency) -> Findings:
    """A join without a rule of its own waits for the timer and for the work; most often one of the two is meant."""
    for name in joins:
        if view.graph.nodes[name].join.kind != "auto":
            continue
        sources = [edge.source for _, edge in view.forward_incoming(name) if edge.on is Outcome.SUCCESS]
        timers = [source for source in sources if isinstance(view.graph.nodes[source].kind, TimerNode)]
        work = [source for source in sources if not isinstance(view.graph.nodes[source].kind, TimerNode | GatewayNode)]
        for timer in timers:
            together = [source for source in work if concurrency.together(timer, source)]
            if together:
                message = (
                    f"it waits for the timer {timer!r} and for {listed(together)}, even when the work is done early"
                )
                mend = 'use a RaceGroup, join="any" or a timeout edge; join="all" if it shall wait for both'
                yield about_step(view, name, "timer_merged_with_work", message, mend, is_warning=True)


def _competing(view: GraphView, names: list[str], joins: list[str], concurrency: Concurrency) -> Findings:
    """Two joins between which concurrent branches decide each for itself: each may get a token, so both may run."""
    choices = {name: chosen for name in names if (chosen := alternatives(view, name))}
    deciders = {
        (first, second): [name for name, ways in choices.items() if _decides(ways, first, second, concurrency)]
        for first, second in combinations(joins, 2)
        if not concurrency.leads(first, second) and not concurrency.leads(second, first)
    }
    found = [
        (pair, both)
        for pair, names_of_pair in deciders.items()
        for both in [next((two for two in combinations(names_of_pair, 2) if concurrency.together(*two)), None)]
        if both is not None
    ]
    for (first, second), branches in found:
        if any(_comes_before(other, (first, second), concurrency) for other, _ in found):
            continue
        message = (
            f"it takes tokens from the same branches as {first!r}: {listed(branches)} each decide between the two, "
            "so both may run"
        )
        mend = "let the branches join first, and decide after"
        yield about_step(view, second, "competing_joins", message, mend, is_warning=True)


def _decides(ways: list[tuple[Edge, Edge]], first: str, second: str, concurrency: Concurrency) -> bool:
    """Whether one of two ways leads to one join and rules out the other."""
    for one, other in ways:
        for left, right in ((one.target, other.target), (other.target, one.target)):
            if (
                concurrency.leads(left, first)
                and concurrency.leads(right, second)
                and not (concurrency.leads(left, second) and concurrency.leads(right, first))
            ):
                return True
    return False


def _comes_before(other: tuple[str, str], pair: tuple[str, str], concurrency: Concurrency) -> bool:
    """Whether another pair of joins already decides what this pair gets."""
    if other == pair:
        return False
    return any(concurrency.leads(one, pair[0]) and concurrency.leads(two, pair[1]) for one, two in (other, other[::-1]))
