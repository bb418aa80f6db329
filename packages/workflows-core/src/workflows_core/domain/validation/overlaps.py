"""Joins that may not do what their author expects: both run, or work waits for a timer.

These are warnings. Scopes of more than `MAX_STEPS` steps are not looked at, because the comparison grows with the square of their
number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from workflows_core.domain.graph import GatewayNode, TimerNode
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
    apart = {join: concurrency.apart(join, joins) for join in joins}
    deciders: dict[tuple[str, str], list[str]] = {}
    for name in names:
        for pair in _decided(view, name, apart, concurrency):
            deciders.setdefault(pair, []).append(name)
    found = {pair: both for pair, deciding in deciders.items() if (both := concurrency.two_together(deciding))}
    for (first, second), branches in sorted(found.items()):
        if any(_comes_before(other, (first, second), concurrency) for other in found):
            continue
        message = (
            f"it takes tokens from the same branches as {first!r}: {listed(branches)} each decide between the two, "
            "so both may run"
        )
        mend = "let the branches join first, and decide after"
        yield about_step(view, second, "competing_joins", message, mend, is_warning=True)


def _decided(
    view: GraphView, name: str, apart: Mapping[str, frozenset[str]], concurrency: Concurrency
) -> set[tuple[str, str]]:
    """The pairs of joins, in their order, between which a token decides that leaves a step: each rules out the other."""
    ways = {
        (concurrency.ahead(one.target, apart), concurrency.ahead(other.target, apart))
        for one, other in alternatives(view, name)
    }
    return {
        (first, second) if view.place[first] < view.place[second] else (second, first)
        for left, right in ways
        for first in left
        for second in right & apart[first]
        if not (second in left and first in right)
    }


def _comes_before(other: tuple[str, str], pair: tuple[str, str], concurrency: Concurrency) -> bool:
    """Whether another pair of joins already decides what this pair gets."""
    if other == pair:
        return False
    return any(concurrency.leads(one, pair[0]) and concurrency.leads(two, pair[1]) for one, two in (other, other[::-1]))
