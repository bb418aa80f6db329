"""The kernel against a naive model of the rules: random workflows, random histories, the same marking after every transition."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import note, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from tests.unit.core.kernel.definitions import Choose, draw_data, draw_graph
from tests.unit.core.kernel.duel import STAGES, Duel

from workflows_core.domain.transition import WorkKind


def chosen_by(data: st.DataObject) -> Choose:
    """Let Hypothesis choose."""
    return lambda options: data.draw(st.sampled_from(options))


def having(*kinds: WorkKind) -> Callable[[KernelAndModel], bool]:
    """The precondition that there is such work."""
    return lambda machine: machine.duel.has(*kinds)


class KernelAndModel(RuleBasedStateMachine):
    """Hypothesis chooses the workflow and what happens, and finds the shortest history that goes wrong."""

    @initialize(data=st.data())
    def define(self, data: st.DataObject) -> None:
        self.graph = draw_graph(chosen_by(data))
        note(self.graph.to_json().decode())
        self.start(data)

    def start(self, data: st.DataObject) -> None:
        self.duel = Duel(self.graph, draw_data(chosen_by(data)))

    @precondition(lambda self: self.duel.is_over)
    @rule(data=st.data())
    def start_again(self, data: st.DataObject) -> None:
        self.start(data)

    @precondition(having(WorkKind.RUN))
    @rule(data=st.data())
    def complete(self, data: st.DataObject) -> None:
        self.duel.complete(chosen_by(data))

    @precondition(having(WorkKind.RUN, WorkKind.PREPARE))
    @rule(data=st.data())
    def skip(self, data: st.DataObject) -> None:
        self.duel.skip(chosen_by(data))

    @precondition(having(*STAGES))
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        self.duel.fail(chosen_by(data))

    @precondition(having(WorkKind.ROUTE))
    @rule(data=st.data())
    def route(self, data: st.DataObject) -> None:
        self.duel.route(chosen_by(data))

    @precondition(having(WorkKind.PREPARE))
    @rule(data=st.data())
    def prepare(self, data: st.DataObject) -> None:
        self.duel.prepare(chosen_by(data))

    @precondition(having(WorkKind.TIMER))
    @rule(data=st.data())
    def fire(self, data: st.DataObject) -> None:
        self.duel.fire(chosen_by(data))

    @precondition(having(WorkKind.GATHER))
    @rule(data=st.data())
    def gather(self, data: st.DataObject) -> None:
        self.duel.gather(chosen_by(data))

    @precondition(lambda self: self.duel.play.tasks)
    @rule(data=st.data())
    def complete_task(self, data: st.DataObject) -> None:
        self.duel.complete_task(chosen_by(data))

    @precondition(lambda self: self.duel.has_webhooks and not self.duel.is_over)
    @rule(data=st.data())
    def call(self, data: st.DataObject) -> None:
        self.duel.call(chosen_by(data))

    @precondition(lambda self: not self.duel.is_over)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.duel.cancel(chosen_by(data))

    @precondition(lambda self: self.duel.can_retry)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        self.duel.retry(chosen_by(data))

    @precondition(lambda self: self.duel.past)
    @rule(data=st.data())
    def echo(self, data: st.DataObject) -> None:
        self.duel.echo(chosen_by(data))


TestKernelAgainstModel = KernelAndModel.TestCase
TestKernelAgainstModel.settings = settings(stateful_step_count=30)


def live(duel: Duel, rng: random.Random, *, transitions: int) -> None:
    """A long life, in which things mostly go well."""
    likely = [(duel.complete, (WorkKind.RUN,)), (duel.route, (WorkKind.ROUTE,)), (duel.prepare, (WorkKind.PREPARE,))]
    likely += [(duel.fire, (WorkKind.TIMER,)), (duel.gather, (WorkKind.GATHER,))]
    unlikely = [(duel.skip, (WorkKind.RUN, WorkKind.PREPARE)), (duel.fail, tuple(STAGES))]
    while not duel.is_over and duel.play.state.revision < transitions:
        kinds = unlikely if rng.random() < 0.05 else likely
        steps = [do for do, wanted in kinds if duel.has(*wanted)]
        steps += [duel.complete_task] if duel.play.tasks else []
        steps += [duel.call] if duel.has_webhooks else []
        steps += [duel.echo] if duel.past and rng.random() < 0.05 else []
        rng.choice(steps or [duel.fail])(rng.choice)
        if duel.can_retry and rng.random() < 0.8:
            duel.retry(rng.choice)
    if not duel.is_over:
        duel.cancel(rng.choice)


@pytest.mark.parametrize("block", range(20))
def test_long_histories_of_random_workflows_go_as_the_model_says(block: int) -> None:
    each = settings().max_examples * 3 // 10
    for seed in range(block * each, (block + 1) * each):
        rng = random.Random(seed)
        live(Duel(draw_graph(rng.choice), draw_data(rng.choice)), rng, transitions=60)
