"""Retries in random workflows: from wherever an instance is retried, nothing is lost, nothing is left over, and it does not stand still."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import settings
from msgspec.structs import replace
from tests.unit.core.kernel.definitions import draw_data, draw_graph
from tests.unit.core.kernel.play import Play
from tests.unit.core.kernel.test_undoing_at_random import do, is_alone, item_around

from workflows_core.domain.events import StepCompensated
from workflows_core.domain.graph import (
    ForEachNode,
    GatewayNode,
    GroupNode,
    MachineNode,
    Node,
    SignalNode,
    WebhookNode,
    WorkflowGraph,
)
from workflows_core.domain.transition import WorkItem, WorkKind
from workflows_core.domain.types import WorkflowStatus
from workflows_core.errors import InstanceEndingError, NothingToReopenError, UnknownSignalError, UnknownStepError

EITHER_WAY: list[dict[str, Any]] = [{}, {}, {"items": 3}, {"items": [1, 2]}, {"x": 7}, {"x": 1}]
"""Data that change nothing, that fail steps as soon as they are entered, and that let them go on."""


def troubled_graph(rng: random.Random) -> WorkflowGraph:
    """A workflow with much that can go wrong: what is entered by its data, what can be undone, and what has a time limit."""
    graph = draw_graph(rng.choice)
    undoable = rng.choice([0.0, 0.3])
    nodes = {name: _troubled(node, rng, undoable) for name, node in graph.nodes.items()}
    return replace(graph, nodes=nodes, deadline_s=rng.choice([None, 50.0]))


def _troubled(node: Node, rng: random.Random, undoable: float) -> Node:
    kind = node.kind
    match kind:
        case ForEachNode():
            kind = replace(kind, computed=False, source="items")
        case GroupNode(kind="conditional"):
            kind = replace(kind, computed=False, selector="x + 0")
        case WebhookNode() if rng.random() < 0.5:
            kind = SignalNode("news", into="x")
    has_limit = not isinstance(kind, GatewayNode) and rng.random() < 0.15
    compensable = isinstance(kind, MachineNode) and rng.random() < undoable
    return replace(node, kind=kind, compensable=compensable, timeout_s=3.0 if has_limit else None)


def retry(play: Play, rng: random.Random) -> str | None:
    """Retry from where it failed, or from any step from which it can go on; gives the step."""
    while True:
        step = rng.choice([None, *play.program.graph.nodes])
        try:
            play.retry(step, **rng.choice(EITHER_WAY))
        except (UnknownStepError, NothingToReopenError):
            continue
        return step


def go_on(play: Play, rng: random.Random) -> None:
    """Let something happen to an instance that is not parked."""
    due = [item for _, item in sorted(play.work.items()) if item.kind is not WorkKind.DEADLINE]
    assert due or play.tasks, "it stands still"
    chance = rng.random()
    if chance < 0.03:
        signal(play, rng)
    elif chance < 0.05 and play.state.has_deadline:
        play.meet_deadline()
    elif play.tasks and (not due or chance < 0.3):
        play.complete_task(rng.choice(list(play.tasks.values())), {})
    else:
        act(play, rng.choice(due), rng)


def act(play: Play, item: WorkItem, rng: random.Random) -> None:
    kind = play.program.graph.nodes[item.step].kind
    if item.timeout_s is not None and rng.random() < 0.2:
        expire(play, item)
    elif item.kind is not WorkKind.AWAIT or isinstance(kind, WebhookNode):
        do(play, item, rng)
    elif isinstance(kind, SignalNode):
        signal(play, rng)
    elif not play.tasks and all(other.kind is WorkKind.AWAIT for other in play.work.values() if other.number):
        expire(play, item)  # nothing else will ever happen


def expire(play: Play, item: WorkItem) -> None:
    if is_alone(play, item):
        play.expire(item.step, item=item_around(play, item))


def signal(play: Play, rng: random.Random) -> None:
    with suppress(InstanceEndingError, UnknownSignalError):
        play.signal("news", rng.choice([0, 1, 2]))


@pytest.mark.parametrize("block", range(10))
def test_an_instance_goes_on_from_whatever_step_it_is_retried(block: int) -> None:
    each = settings().max_examples
    retried: Counter[str] = Counter()
    for seed in range(block * each, (block + 1) * each):
        rng = random.Random(seed)
        play = Play(troubled_graph(rng), **draw_data(rng.choice))
        for _ in range(100):
            if play.status is WorkflowStatus.COMPLETED:
                break
            if play.state.parked is None:
                go_on(play, rng)
                continue
            step = retry(play, rng)
            retried["plain" if step is None else "inner" if play.program.graph.nodes[step].scope else "top"] += 1
            retried["in vain"] += play.state.parked is not None
        undone = Counter(event.compensates for event in play.events if isinstance(event, StepCompensated))
        assert all(times == 1 for times in undone.values()), f"seed {seed}: undone twice"
    assert min(retried[kind] for kind in ("plain", "inner", "top", "in vain")) > 0
