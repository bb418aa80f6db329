"""What was lately written is given to those who know something older, and to nobody else."""

from __future__ import annotations

from uuid import UUID

from msgspec.structs import replace

from workflows_core.domain.state import ROOT, InstanceState, Scope
from workflows_core.domain.transition import Transition
from workflows_core.domain.types import WorkflowStatus
from workflows_core.engine.folds import Line
from workflows_core.engine.recent import Recent


def a_state(number: int = 1, *, revision: int = 1) -> InstanceState:
    return InstanceState(UUID(int=number), "", "orders", "1", "", revision, WorkflowStatus.RUNNING)


def with_item(state: InstanceState) -> InstanceState:
    return replace(state, scopes={**state.scopes, 7: Scope(7, "each", home=7)})


def kept(state: InstanceState, line: Line) -> Recent:
    recent = Recent()
    recent.keep(state, line)
    return recent


def test_whoever_knows_something_older_is_given_what_was_written() -> None:
    written, line = a_state(revision=3), Line(1)
    assert kept(written, line).take(a_state(revision=2)) == (written, line)


def test_whoever_knows_what_was_written_keeps_what_else_is_known_of_it() -> None:
    seen, line = with_item(a_state(revision=3)), Line(1)
    assert kept(a_state(revision=3), line).take(seen) == (seen, line)


def test_whoever_knows_something_newer_is_given_nothing_and_begins_a_line() -> None:
    line = Line(1)
    known = kept(a_state(revision=3), line).take(a_state(revision=4))
    assert known is not None
    assert known.state.revision == 4
    assert known.line is not line


def test_nobody_is_given_the_same_twice() -> None:
    recent, seen = kept(a_state(revision=3), Line(1)), a_state(revision=2)
    recent.take(seen)
    known = recent.take(seen)
    assert known is not None
    assert known.state is seen


def test_items_that_somebody_knows_are_joined_if_they_did_not_change() -> None:
    known = kept(a_state(revision=3), Line(1)).take(with_item(a_state(revision=2)))
    assert known is not None
    assert known.state.revision == 3
    assert known.state.scopes.keys() == {ROOT, 7}


def test_items_that_changed_have_to_be_read() -> None:
    line = Line(1)
    line.note(Transition(a_state(revision=3), "system", items=(Scope(7, "each", home=7),)))
    assert kept(a_state(revision=3), line).take(with_item(a_state(revision=2))) is None


def test_what_is_over_is_not_kept() -> None:
    over, seen = replace(a_state(revision=3), status=WorkflowStatus.COMPLETED), a_state(revision=2)
    known = kept(over, Line(1)).take(seen)
    assert known is not None
    assert known.state is seen


def test_the_last_instances_are_kept_and_no_others() -> None:
    recent = Recent()
    for number in [*range(1, 101), 37]:
        recent.keep(a_state(number, revision=2), Line(1))
    given = [recent.take(a_state(number)) for number in range(1, 101)]
    newer = [known.state.id.int for known in given if known is not None and known.state.revision == 2]
    assert newer == list(range(37, 101))


def test_a_long_line_is_begun_anew() -> None:
    line = Line(1)
    items = tuple(Scope(number, "each", home=number) for number in range(10, 1_011))
    line.note(Transition(a_state(revision=3), "system", items=items))
    known = kept(a_state(revision=3), line).take(a_state(revision=2))
    assert known is not None
    assert known.line.length == 0
