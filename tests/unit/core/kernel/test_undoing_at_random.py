"""Compensation in random workflows: whatever happens, each thing that was done is undone once, or the instance completes."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import settings
from msgspec.structs import replace
from tests.unit.core.kernel.definitions import draw_data, draw_graph
from tests.unit.core.kernel.play import Play, encode

from workflows_core.domain.commands import Place, Prepared
from workflows_core.domain.events import StepCompensated
from workflows_core.domain.graph import ForEachNode, GroupNode, MachineNode, WorkflowGraph
from workflows_core.domain.transition import WorkItem, WorkKind
from workflows_core.domain.types import Parking, StepStatus, WorkflowStatus


def undoable_graph(rng: random.Random) -> WorkflowGraph:
    graph = draw_graph(rng.choice)
    nodes = {
        name: replace(node, compensable=isinstance(node.kind, MachineNode) and rng.random() < 0.6)
        for name, node in graph.nodes.items()
    }
    return replace(graph, nodes=nodes)


def fail(play: Play, item: WorkItem, rng: random.Random) -> None:
    error = rng.choice([None, None, 1.0])
    if is_alone(play, item):
        play.fail(item.step, item=item_around(play, item), retry_s=error)


def is_alone(play: Play, item: WorkItem) -> bool:
    """Whether no other token has entered the step of a work item, so that the step names its token."""
    return sum(token.status is not StepStatus.PENDING for _, token in play.places(item.step)) == 1


def item_around(play: Play, item: WorkItem) -> int | None:
    """Index of the ``ForEach`` item that a work item belongs to; None for none."""
    index = play.index_of(play.whole.scopes[item.scope])
    return index if index >= 0 else None


def do(play: Play, item: WorkItem, rng: random.Random) -> None:
    place = Place(item.scope, item.number, item.execution)
    if item.kind is WorkKind.PREPARE:
        branch = rng.choice(["0", "1", "2", None])
        items = tuple(encode(number) for number in range(rng.randrange(4)))
        play.apply(Prepared(place=place, now=play.now, branch=branch, items=items, delay_s=3.0))
    elif item.kind is WorkKind.AWAIT:
        visit = play.whole.scopes[item.scope].tokens[item.number].visit
        play.call(item.step, 1, visit=visit, scope=item.scope)
    elif item.kind is WorkKind.RUN and play.whole.is_draining(item.scope) and rng.random() < 0.5:
        if is_alone(play, item):
            play.abandon(item.step, began=rng.random() < 0.5)
    elif item.kind in {WorkKind.RUN, WorkKind.UNDO} and rng.random() < 0.15:
        fail(play, item, rng)
    else:
        play.do(item)


def live(play: Play, rng: random.Random, *, transitions: int) -> bool:
    """Let things happen until the instance is over; whether it came to that by itself."""
    while not play.status.is_final:
        if play.state.revision > transitions:
            return False
        if play.state.parked is Parking.COMPENSATION:
            play.retry() if rng.random() < 0.7 else play.discard()
        elif rng.random() < 0.01 and play.state.phase == "normal":
            play.cancel()
        elif play.tasks and (not play.work or rng.random() < 0.3):
            play.complete_task(rng.choice(list(play.tasks.values())), {})
        else:
            do(play, rng.choice([item for _, item in sorted(play.work.items())]), rng)
    return True


@pytest.mark.parametrize("block", range(10))
def test_what_was_done_is_undone_once_if_it_does_not_come_to_a_good_end(block: int) -> None:
    each = settings().max_examples
    ended: Counter[WorkflowStatus] = Counter()
    for seed in range(block * each, (block + 1) * each):
        rng = random.Random(seed)
        graph = undoable_graph(rng)
        play = Play(graph, **draw_data(rng.choice))
        if not live(play, rng, transitions=120):
            continue
        ended[play.status] += 1
        undone = Counter(event.compensates for event in play.events if isinstance(event, StepCompensated))
        assert all(times == 1 for times in undone.values()), f"seed {seed}: undone twice"
        done = {
            run.number
            for run in play.executions
            if run.status is StepStatus.SUCCEEDED and not run.compensates and graph.nodes[run.step_name].compensable
        }
        if play.status is not WorkflowStatus.COMPLETED:
            discarded = sum(type(event).__name__ == "WorkflowDiscarded" for event in play.events)
            assert len(done - undone.keys()) <= discarded, f"seed {seed}: not undone"
    assert ended[WorkflowStatus.FAILED]
    assert ended[WorkflowStatus.COMPLETED]


def test_the_random_workflows_have_what_makes_it_hard() -> None:
    graphs = [undoable_graph(random.Random(seed)) for seed in range(200)]
    kinds = {type(node.kind) for graph in graphs for node in graph.nodes.values()}
    assert {GroupNode, ForEachNode} <= kinds
    assert any(node.compensable and node.scope for graph in graphs for node in graph.nodes.values())
