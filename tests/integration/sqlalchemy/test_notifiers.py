"""Notifiers of PostgreSQL: few messages, with queues only; and they come back when the server does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator

import psycopg
import pytest

from workflows_sqlalchemy import create_store
from workflows_sqlalchemy.postgresql.notifier import PostgreSQLNotifier
from workflows_testing.conformance.wake_ups import REF
from workflows_testing.servers import postgres
from workflows_testing.servers.databases import PostgresDatabase


@pytest.fixture(params=["asyncpg", "psycopg"])
def driver(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


async def notifier_on(url: str, **options: object) -> AsyncGenerator[PostgreSQLNotifier]:
    store = create_store(url, **options).store
    notifier = store.notifier()
    assert isinstance(notifier, PostgreSQLNotifier)
    yield notifier
    await notifier.close()
    await store.close()


@pytest.fixture
async def notifier(postgres_database: PostgresDatabase, driver: str) -> AsyncGenerator[PostgreSQLNotifier]:
    async for made in notifier_on(postgres_database.url_for(driver)):
        yield made


async def true(holds: object, within_s: float = 15.0) -> None:
    assert callable(holds)
    async with asyncio.timeout(within_s):
        while not holds():
            await asyncio.sleep(0.005)


async def test_many_hints_are_one_message_that_names_queues_only(
    notifier: PostgreSQLNotifier, postgres_database: PostgresDatabase
) -> None:
    async with await psycopg.AsyncConnection.connect(postgres_database.url, autocommit=True) as connection:
        await connection.execute("LISTEN workflows_work")
        for number in range(300):
            await notifier.publish([REF], queue=f"queue {number % 3}")
        payloads = [found.payload async for found in connection.notifies(timeout=1.0)]
    assert len(payloads) <= 2
    named = [json.loads(payload)[1] for payload in payloads]
    assert sorted({queue for queues in named for queue in queues}) == ["queue 0", "queue 1", "queue 2"]
    assert not [payload for payload in payloads if str(REF.instance_id) in payload]


async def test_very_many_queues_are_a_message_without_names(
    notifier: PostgreSQLNotifier, postgres_database: PostgresDatabase
) -> None:
    async with await psycopg.AsyncConnection.connect(postgres_database.url, autocommit=True) as connection:
        await connection.execute("LISTEN workflows_work")
        for number in range(1000):
            await notifier.publish([REF], queue=f"a queue with a long name {number}")
        payloads = [found.payload async for found in connection.notifies(timeout=1.0)]
    assert [json.loads(payload)[1] for payload in payloads][-1] is None


async def test_a_worker_of_the_same_process_is_woken_without_the_server(notifier: PostgreSQLNotifier) -> None:
    heard = asyncio.Event()
    end = notifier.subscribe(heard.set)
    await notifier.publish([REF], queue="default")
    async with asyncio.timeout(1):
        await heard.wait()
    end()


async def test_through_pgbouncer_nothing_is_listened_to_and_that_is_known(
    postgres_database: PostgresDatabase, driver: str
) -> None:
    async for notifier in notifier_on(postgres_database.url_for(driver), pgbouncer=True):
        async for other in notifier_on(postgres_database.url_for(driver)):
            heard, here = asyncio.Event(), asyncio.Event()
            ends = [other.subscribe(heard.set), notifier.subscribe(here.set)]
            await true(lambda other=other: other.is_proven)
            assert not notifier.is_proven
            heard.clear()
            await notifier.publish([REF], queue="default")
            await true(heard.is_set)
            here.clear()
            await other.publish([REF], queue="default")
            await asyncio.sleep(0.3)
            assert not here.is_set()
            for end in ends:
                end()


async def test_a_listener_is_unproven_while_the_server_is_away_and_comes_back_with_it(driver: str) -> None:
    with postgres(own=True) as server:
        url = PostgresDatabase(server, "postgres").url_for(driver)
        async for notifier in notifier_on(url):
            heard = asyncio.Event()
            end = notifier.subscribe(heard.set)
            await true(lambda notifier=notifier: notifier.is_proven)
            await asyncio.to_thread(server.stop, immediate=True)
            await true(lambda notifier=notifier: not notifier.is_proven)
            heard.clear()
            await asyncio.to_thread(server.start)
            await true(lambda notifier=notifier: notifier.is_proven)
            await true(heard.is_set)  # what was missed meanwhile is looked for
            async for other in notifier_on(url):
                heard.clear()
                await other.publish([REF], queue="default")
                await true(heard.is_set)
            end()
