"""What was lately written is given to those who know something older, and to nobody else."""

from __future__ import annotations

import asyncio
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
    return replace(state, scopes={**state.scopes, 7: Scope(7, "each", home=7, data={"order": b"1"})})


def kept(state: InstanceState, line: Line) -> Recent:
    recent = Recent()
    recent.keep(state, line)
    return recent


async def test_whoever_knows_something_older_is_given_what_was_written() -> None:
    written, line = a_state(revision=3), Line(1)
    assert kept(written, line).take(a_state(revision=2)) == (written, line)


async def test_whoever_knows_what_was_written_keeps_what_else_is_known_of_it() -> None:
    seen, line = with_item(a_state(revision=3)), Line(1)
    assert kept(a_state(revision=3), line).take(seen) == (seen, line)


async def test_whoever_knows_something_newer_is_given_nothing_and_begins_a_line() -> None:
    line = Line(1)
    known = kept(a_state(revision=3), line).take(a_state(revision=4))
    assert known is not None
    assert known.state.revision == 4
    assert known.line is not line


async def test_nobody_is_given_the_same_twice() -> None:
    recent, seen = kept(a_state(revision=3), Line(1)), a_state(revision=2)
    recent.take(seen)
    known = recent.take(seen)
    assert known is not None
    assert known.state is seen


async def test_of_items_nothing_is_kept() -> None:
    known = kept(with_item(a_state(revision=3)), Line(1)).take(a_state(revision=2))
    assert known is not None
    assert known.state == a_state(revision=3)


async def test_items_that_somebody_knows_are_joined_if_they_did_not_change() -> None:
    known = kept(a_state(revision=3), Line(1)).take(with_item(a_state(revision=2)))
    assert known is not None
    assert known.state.revision == 3
    assert known.state.scopes.keys() == {ROOT, 7}


async def test_items_that_changed_have_to_be_read() -> None:
    line = Line(1)
    line.note(Transition(a_state(revision=3), "system", items=(Scope(7, "each", home=7),)))
    assert kept(a_state(revision=3), line).take(with_item(a_state(revision=2))) is None


async def test_the_data_that_somebody_knows_of_an_item_are_joined_to_what_it_has_become() -> None:
    began = replace(with_item(a_state(revision=3)).scopes[7], data=None, visits={"ship": 1})
    state = replace(a_state(revision=3), scopes={**a_state().scopes, 7: began})
    joined = Line(1).joined(state, with_item(a_state(revision=2)))
    assert joined is not None
    assert (joined.scopes[7].data, joined.scopes[7].visits) == ({"order": b"1"}, {"ship": 1})


async def test_items_that_are_about_to_change_have_to_be_read() -> None:
    assert Line(1).joined(a_state(revision=3), with_item(a_state(revision=2)), besides={7}) is None


async def test_what_was_written_is_kept_for_a_moment() -> None:
    recent, seen = kept(a_state(revision=3), Line(1)), a_state(revision=2)
    recent.keep(a_state(2, revision=3), Line(1))
    await asyncio.sleep(1.1)
    assert not recent._kept, "nobody has to ask for it to be forgotten"
    recent.keep(a_state(revision=3), Line(1))
    await asyncio.sleep(1.1)
    assert not recent._kept
    known = recent.take(seen)
    assert known is not None
    assert known.state is seen


async def test_all_is_forgotten_at_once_when_the_store_was_away() -> None:
    recent, seen = kept(a_state(revision=3), Line(1)), a_state(revision=2)
    recent.clear()
    known = recent.take(seen)
    assert known is not None
    assert known.state is seen


async def test_what_is_over_is_not_kept() -> None:
    over, seen = replace(a_state(revision=3), status=WorkflowStatus.COMPLETED), a_state(revision=2)
    known = kept(over, Line(1)).take(seen)
    assert known is not None
    assert known.state is seen


async def test_the_last_instances_are_kept_and_no_others() -> None:
    recent = Recent()
    for number in [*range(1, 101), 37]:
        recent.keep(a_state(number, revision=2), Line(1))
    given = [recent.take(a_state(number)) for number in range(1, 101)]
    newer = [known.state.id.int for known in given if known is not None and known.state.revision == 2]
    assert newer == list(range(37, 101))


async def test_a_long_line_is_begun_anew() -> None:
    line = Line(1)
    items = tuple(Scope(number, "each", home=number) for number in range(10, 1_011))
    line.note(Transition(a_state(revision=3), "system", items=items))
    known = kept(a_state(revision=3), line).take(a_state(revision=2))
    assert known is not None
    assert known.line.length == 0
