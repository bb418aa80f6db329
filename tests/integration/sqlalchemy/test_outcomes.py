"""A connection that is lost in a commit: what was committed is found again, what was not is committed once.

The connections to PostgreSQL go through a proxy that cuts them. There is no connection to lose to a file. Everything is done once
before a connection is cut, so that the statement is prepared, and it is the commit itself that is cut.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import psycopg
import pytest
from sqlalchemy import make_url
from tests.integration.sqlalchemy.cutting_proxy import CuttingProxy, Moment, cutting_proxy

from workflows_core.adapters.event_bus import EventBus
from workflows_core.adapters.in_process_executor import NullExecutor
from workflows_core.adapters.uuid7 import Uuid7Generator
from workflows_core.engine.commits import Commits
from workflows_core.errors import StoreUnavailableError
from workflows_core.ports.queries import WorkflowQueries
from workflows_core.ports.store import ClaimRequest, Committed, DuplicateKey, Held, StartKey, WorkflowStore
from workflows_sqlalchemy import StoreAndQueries, create_store
from workflows_testing.builders import a_graph, an_instance
from workflows_testing.servers.databases import PostgresDatabase


@pytest.fixture
async def proxy(emptied_postgres: PostgresDatabase) -> AsyncGenerator[CuttingProxy]:
    url = make_url(emptied_postgres.url)
    async with cutting_proxy(url.host or "127.0.0.1", url.port or 5432) as proxy:
        yield proxy


@pytest.fixture(params=["asyncpg", "psycopg"])
def driver(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
async def sides(
    driver: str, emptied_postgres: PostgresDatabase, proxy: CuttingProxy
) -> AsyncGenerator[StoreAndQueries]:
    url = make_url(emptied_postgres.url_for(driver)).set(host="127.0.0.1", port=proxy.port)
    sides = create_store(url, pool_size=5)
    await sides.store.now()  # connected, so that it is a request that is lost
    yield sides
    await sides.store.close()


@pytest.fixture
def store(sides: StoreAndQueries) -> WorkflowStore:
    return sides.store


@pytest.fixture
def queries(sides: StoreAndQueries) -> WorkflowQueries:
    return sides.queries


@pytest.fixture
def commits(store: WorkflowStore) -> Commits:
    return Commits(store, Uuid7Generator(), NullExecutor(), EventBus(), soon_s=1.0)


MOMENTS: tuple[Moment, ...] = ("request", "answer", "under way")


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_start_whose_connection_was_lost_is_committed_once(
    proxy: CuttingProxy, commits: Commits, queries: WorkflowQueries, moment: Moment
) -> None:
    for number, start_key in enumerate((None, None, StartKey("order-1", "digest"), StartKey("order-2", "digest"))):
        run = an_instance()
        transition = run.start().transition
        if number % 2:
            proxy.cut(moment)
        result = await commits.commit(transition, start_key=start_key)
        assert isinstance(result, Committed)
        assert {event.revision for event in await queries.list_events(run.id)} == {1}
        record = await queries.get_instance(run.id)
        assert record is not None
        assert record.updated_at == result.at
    assert proxy.cuts == 2


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_step_whose_connection_was_lost_goes_on_with_its_fence(
    proxy: CuttingProxy, commits: Commits, store: WorkflowStore, queries: WorkflowQueries, moment: Moment
) -> None:
    for is_cut in (False, True):
        run = an_instance(a_graph("one", "two"))
        await commits.commit(run.start().transition)
        (claim,) = await store.claim(ClaimRequest(worker="worker-1", limit=1, lease_s=30))
        write = run.complete("one", take="two", held=Held(claim.item.number, claim.fence, "worker-1"))
        if is_cut:
            proxy.cut(moment)
        result = await commits.commit(write.transition, held=write.held, take=write.take, lease_s=30)
        assert isinstance(result, Committed)
        assert result.fences == {run.number("two"): claim.fence + 1}
        assert len(await queries.list_executions(run.id)) == 1
    assert proxy.cuts == 1


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_batch_whose_connection_was_lost_is_told_singly(
    proxy: CuttingProxy, commits: Commits, queries: WorkflowQueries, moment: Moment
) -> None:
    used = StartKey("order-2", "digest")
    await commits.commit(an_instance().start().transition, start_key=used)
    for is_cut in (False, True):
        transitions = [an_instance().start().transition for _ in range(3)]
        if is_cut:
            proxy.cut(moment)
        results = await asyncio.gather(
            *(commits.commit(transition) for transition in transitions),
            commits.commit(an_instance().start().transition, start_key=used),
        )
        assert [type(result) for result in results] == [Committed, Committed, Committed, DuplicateKey]
        for transition in transitions:
            assert len(await queries.list_events(transition.state.id)) == len(transition.events)
    assert proxy.cuts == 1


async def test_a_first_try_that_is_still_under_way_when_it_is_asked_for_has_won(
    proxy: CuttingProxy, commits: Commits, queries: WorkflowQueries, emptied_postgres: PostgresDatabase
) -> None:
    rehearsal, run = an_instance(a_graph("one", "two")), an_instance(a_graph("one", "two"))
    for each in (rehearsal, run):
        await commits.commit(each.start().transition)
    await commits.commit(rehearsal.complete("one").transition)
    with psycopg.connect(emptied_postgres.url) as blocker:
        blocker.execute("SELECT 1 FROM workflow_instances WHERE id = %s FOR UPDATE", [run.id])
        proxy.cut("under way")
        under_way = asyncio.create_task(commits.commit(run.complete("one").transition))
        await asyncio.sleep(1.0)  # by then it is cut, asked for, and tried again
        assert proxy.cuts == 1
        assert not under_way.done()
        blocker.rollback()
    assert isinstance(await under_way, Committed)
    assert len(await queries.list_executions(run.id)) == 1


async def test_the_store_leaves_the_outcome_of_a_lost_connection_open(
    proxy: CuttingProxy, store: WorkflowStore
) -> None:
    await store.commit([an_instance().start()])
    write = an_instance().start()
    proxy.cut("answer")
    with pytest.raises(StoreUnavailableError):
        await store.commit([write])
    assert await store.committed(write) is not None


async def test_work_is_claimed_after_all_connections_of_the_pool_were_lost(
    proxy: CuttingProxy, commits: Commits, store: WorkflowStore
) -> None:
    await asyncio.gather(*(commits.commit(an_instance().start().transition) for _ in range(5)))
    await asyncio.gather(*(store.now() for _ in range(5)))
    proxy.cut("request", times=1)
    assert len(await store.claim(ClaimRequest(worker="worker-1", limit=10, lease_s=30))) == 5
