"""A fault plan says which calls go wrong, and remembers which did."""

from __future__ import annotations

import pytest

from workflows_testing.faults import (
    AnswerConflict,
    CommitThenFail,
    FailBefore,
    FaultPlan,
    HintFault,
    Injected,
    LoseHint,
    LoseLease,
    Slow,
    StoreFault,
)


def ask(plan: FaultPlan, method: str, times: int) -> list[StoreFault | None]:
    return [plan.next(method, StoreFault) for _ in range(times)]  # type: ignore[type-abstract]


def test_the_nth_call_of_a_method_goes_wrong_and_no_other() -> None:
    plan = FaultPlan().on("commit", nth=2, fault=CommitThenFail())
    assert ask(plan, "load", 3) == [None] * 3
    assert ask(plan, "commit", 3) == [None, CommitThenFail(), None]
    assert plan.injected == [Injected("commit", 2, CommitThenFail())]


def test_without_a_number_every_call_goes_wrong() -> None:
    assert ask(FaultPlan().on("claim", fault=FailBefore()), "claim", 2) == [FailBefore()] * 2


def test_the_first_rule_that_fits_decides() -> None:
    plan = FaultPlan().on("commit", nth=1, fault=Slow(1.0)).on("commit", fault=FailBefore())
    assert ask(plan, "commit", 2) == [Slow(1.0), FailBefore()]


def test_chance_is_decided_by_the_seed_alone() -> None:
    def drawn(seed: int) -> list[StoreFault | None]:
        plan = FaultPlan(seed).randomly("commit", rate=0.3, faults=[FailBefore(), CommitThenFail()])
        return ask(plan, "commit", 200)

    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)
    assert set(drawn(7)) == {None, FailBefore(), CommitThenFail()}
    assert 30 < sum(fault is not None for fault in drawn(7)) < 90


def test_a_plan_that_has_ended_injects_nothing() -> None:
    plan = FaultPlan().on("commit", fault=FailBefore()).randomly("claim", rate=1, faults=[FailBefore()])
    plan.end()
    assert ask(plan, "commit", 2) + ask(plan, "claim", 2) == [None] * 4


def test_stores_and_executors_share_a_plan_without_meeting_each_others_faults() -> None:
    plan = FaultPlan().on("publish", nth=1, fault=LoseHint())
    assert ask(plan, "publish", 1) == [None]
    assert plan.next("publish", HintFault) == LoseHint()  # type: ignore[type-abstract]


@pytest.mark.parametrize(
    ("method", "fault", "possible"),
    [
        ("commits", CommitThenFail(), "commit"),
        ("claim", AnswerConflict(), "it can befall commit"),
        ("claim", LoseLease(), "it can befall commit, renew"),
        ("commit", LoseHint(), "it can befall publish"),
    ],
)
def test_a_fault_that_cannot_befall_a_method_is_refused_at_once(method: str, fault: StoreFault, possible: str) -> None:
    with pytest.raises(ValueError, match=possible):
        FaultPlan().on(method, fault=fault)
    with pytest.raises(ValueError, match=possible):
        FaultPlan().randomly(method, rate=0.5, faults=[fault])


def test_calls_are_counted_from_1() -> None:
    with pytest.raises(ValueError, match="counted from 1"):
        FaultPlan().on("commit", nth=0, fault=FailBefore())


@pytest.mark.parametrize("rate", [-0.1, 1.1])
def test_a_rate_is_a_part_of_the_calls(rate: float) -> None:
    with pytest.raises(ValueError, match="rate=0"):
        FaultPlan().randomly("commit", rate=rate, faults=[FailBefore()])
