"""Group commit: a lone write goes at once, a crowd goes together, and each caller learns of its own write."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest

from workflows_core.ports.store import Committed, Conflict, Write
from workflows_sqlalchemy.group_commit import GroupCommit, Outcome
from workflows_testing.builders import an_instance

COMMITTED = Committed(datetime(2026, 1, 1, tzinfo=UTC))


class Database:
    """Notes the batches that it is given; each waits until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[Write]] = []
        self.answers: dict[UUID, Outcome] = {}
        self.gate = asyncio.Event()

    async def commit(self, writes: Sequence[Write]) -> list[Outcome]:
        self.batches.append(list(writes))
        await self.gate.wait()
        return [self.answers.get(write.id, COMMITTED) for write in writes]

    @property
    def sizes(self) -> list[int]:
        return [len(batch) for batch in self.batches]


async def turn() -> None:
    """Let everything run that is ready."""
    for _ in range(5):
        await asyncio.sleep(0)


def starts(number: int) -> list[Write]:
    return [an_instance().start() for _ in range(number)]


async def test_a_lone_write_goes_at_once() -> None:
    database = Database()
    group = GroupCommit(database.commit, parallel=1)
    commit = asyncio.create_task(group.commit(starts(1)))
    await turn()
    assert database.sizes == [1]
    database.gate.set()
    assert await commit == [COMMITTED]


async def test_writes_of_one_turn_of_the_loop_go_together() -> None:
    database = Database()
    database.gate.set()
    group = GroupCommit(database.commit, parallel=1)
    await asyncio.gather(*(group.commit([write]) for write in starts(10)))
    assert database.sizes == [10]


async def test_what_arrives_during_a_commit_goes_with_the_next() -> None:
    database = Database()
    group = GroupCommit(database.commit, parallel=1)
    first = asyncio.create_task(group.commit(starts(1)))
    await turn()
    others = [asyncio.create_task(group.commit([write])) for write in starts(5)]
    await turn()
    assert database.sizes == [1]
    database.gate.set()
    await asyncio.gather(first, *others)
    assert database.sizes == [1, 5]


async def test_as_many_batches_are_under_way_as_are_allowed() -> None:
    database = Database()
    group = GroupCommit(database.commit, parallel=2)
    commits = []
    for write in starts(4):
        commits.append(asyncio.create_task(group.commit([write])))
        await turn()
    assert database.sizes == [1, 1]
    database.gate.set()
    await asyncio.gather(*commits)
    assert database.sizes == [1, 1, 2]


async def test_a_crowd_is_dealt_out_among_the_batches_that_may_be_under_way() -> None:
    database = Database()
    group = GroupCommit(database.commit, parallel=3)
    commit = asyncio.create_task(group.commit(starts(90)))
    await turn()
    assert database.sizes == [30, 30, 30]
    later = asyncio.create_task(group.commit(starts(60)))
    await turn()
    assert database.sizes == [30, 30, 30], "nobody has a place for those"
    database.gate.set()
    await asyncio.gather(commit, later)
    assert sum(database.sizes) == 150


async def test_a_few_are_not_dealt_out() -> None:
    database = Database()
    database.gate.set()
    await GroupCommit(database.commit, parallel=3).commit(starts(10))
    assert database.sizes == [10]


async def test_a_database_that_takes_one_batch_at_a_time_gets_a_crowd_whole() -> None:
    database = Database()
    database.gate.set()
    await GroupCommit(database.commit, parallel=1).commit(starts(90))
    assert database.sizes == [90]


async def test_a_batch_never_holds_an_instance_twice_and_keeps_their_order() -> None:
    database = Database()
    run = an_instance()
    first, second, third = run.start(), run.touch(), run.touch()
    group = GroupCommit(database.commit, parallel=2)
    commits = [asyncio.create_task(group.commit([write])) for write in (first, *starts(1), second, third)]
    await turn()
    assert database.sizes == [2], "one that is under way is not overtaken by the other batch"
    database.gate.set()
    await asyncio.gather(*commits)
    assert [write for batch in database.batches for write in batch if write.transition.state.id == run.id] == [
        first,
        second,
        third,
    ]
    assert database.sizes == [2, 1, 1]


async def test_everybody_learns_of_the_own_write() -> None:
    database = Database()
    database.gate.set()
    writes = starts(3)
    error = ValueError("this one is bad")
    database.answers = {writes[0].id: Conflict(), writes[1].id: error}
    group = GroupCommit(database.commit, parallel=1)
    outcomes = await asyncio.gather(*(group.commit([write]) for write in writes))
    assert outcomes == [[Conflict()], [error], [COMMITTED]]


async def test_an_error_of_the_batch_is_told_to_all_and_the_next_one_goes() -> None:
    class Broken(Database):
        async def commit(self, writes: Sequence[Write]) -> list[Outcome]:
            self.batches.append(list(writes))
            if len(self.batches) == 1:
                msg = "out of reach"
                raise ConnectionError(msg)
            return [COMMITTED for _ in writes]

    group = GroupCommit(Broken().commit, parallel=1)
    outcomes = await asyncio.gather(*(group.commit([write]) for write in starts(3)))
    assert all(isinstance(outcome, ConnectionError) for (outcome,) in outcomes)
    assert await group.commit(starts(1)) == [COMMITTED]


async def test_a_cancelled_caller_stops_neither_its_write_nor_the_others() -> None:
    database = Database()
    group = GroupCommit(database.commit, parallel=1)
    impatient, patient = (asyncio.create_task(group.commit([write])) for write in starts(2))
    await turn()
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    database.gate.set()
    assert await patient == [COMMITTED]
    assert database.sizes == [2]


async def test_waiting_lasts_until_everything_is_committed() -> None:
    database = Database()
    group = GroupCommit(database.commit, parallel=1)
    commits = [asyncio.create_task(group.commit([write])) for write in starts(3)]
    await turn()
    late = asyncio.create_task(group.commit(starts(1)))
    await turn()
    wait = asyncio.create_task(group.wait())
    await turn()
    assert not wait.done()
    database.gate.set()
    await wait
    assert all(commit.done() for commit in (*commits, late))


async def test_a_crowd_is_cut_into_batches_that_a_database_can_take() -> None:
    database = Database()
    database.gate.set()
    group = GroupCommit(database.commit, parallel=1)
    await group.commit(starts(600))
    assert database.sizes == [256, 256, 88]
