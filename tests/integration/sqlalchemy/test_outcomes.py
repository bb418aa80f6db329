"""A connection that is lost in a commit: what was committed is found again, what was not is committed once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError

from workflows_core.errors import StoreUnavailableError
from workflows_core.ports.store import Committed, DuplicateKey, StartKey, Write
from workflows_sqlalchemy import SQLAlchemyWorkflowStore, StoreAndQueries
from workflows_testing.builders import a_graph, an_instance


@contextmanager
def connection_lost(store: SQLAlchemyWorkflowStore, moment: str, *, times: int = 1) -> Iterator[None]:
    """Lose the connection at the next writing statements: before they reach the server, or when it has done them."""
    left = times

    def lose(_connection: Connection, _cursor: Any, statement: str, *_rest: Any) -> None:
        nonlocal left
        if left and statement.lstrip().startswith("WITH"):
            left -= 1
            raise DBAPIError(statement, {}, Exception("connection lost"), connection_invalidated=True)

    event.listen(store.backend.engine, f"{moment}_cursor_execute", lose)
    yield
    event.remove(store.backend.engine, f"{moment}_cursor_execute", lose)


@pytest.fixture(params=["asyncpg", "psycopg"])
def url(request: pytest.FixtureRequest) -> str:
    """PostgreSQL only: there is no connection to lose to a file."""
    return str(request.getfixturevalue("emptied_postgres").url_for(request.param))


def writes_of_every_kind() -> list[Write]:
    return [
        an_instance().start(),
        an_instance().start(take="first", worker="worker-1"),
        an_instance().start(start_key=StartKey("order-1", "digest")),
    ]


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_commit_whose_connection_was_lost_is_told_as_committed_once(
    sides: StoreAndQueries, moment: str
) -> None:
    store, queries = sides
    for write in writes_of_every_kind():
        with connection_lost(store, moment):
            (result,) = await store.commit([write])
        assert isinstance(result, Committed)
        assert result.fences == dict.fromkeys(write.take, 1)
        assert {event.revision for event in await queries.list_events(write.transition.state.id)} == {1}
        record = await queries.get_instance(write.transition.state.id)
        assert record is not None
        assert record.updated_at == result.at


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_batch_whose_connection_was_lost_is_told_singly(sides: StoreAndQueries, moment: str) -> None:
    store, queries = sides
    await store.commit([an_instance().start(start_key=StartKey("order-2", "digest"))])
    writes = [*writes_of_every_kind(), an_instance().start(start_key=StartKey("order-2", "digest"))]
    with connection_lost(store, moment):
        results = await store.commit(writes)
    assert [type(result) for result in results] == [Committed, Committed, Committed, DuplicateKey]
    for write in writes[:3]:
        assert len(await queries.list_events(write.transition.state.id)) == len(write.transition.events)


async def test_a_step_whose_connection_was_lost_goes_on_with_its_fence(store: SQLAlchemyWorkflowStore) -> None:
    run = an_instance(a_graph("one", "two"))
    await store.commit([run.start(take="one", worker="worker-1")])
    with connection_lost(store, "after"):
        (result,) = await store.commit([run.complete("one", take="two", worker="worker-1")])
    assert isinstance(result, Committed)
    assert result.fences == {run.number("two"): 2}


async def test_a_connection_that_is_lost_again_and_again_leaves_the_outcome_open(
    store: SQLAlchemyWorkflowStore,
) -> None:
    run = an_instance()
    write = run.start()
    with connection_lost(store, "after", times=2), pytest.raises(StoreUnavailableError):
        await store.commit([write])
    assert await store.committed(write)
