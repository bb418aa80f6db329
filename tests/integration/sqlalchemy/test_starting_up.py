"""A server that takes no connections yet is one that is away, whatever is asked of it."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from workflows_core.errors import StoreUnavailableError
from workflows_core.ports.store import ClaimRequest
from workflows_sqlalchemy import create_store
from workflows_testing.builders import an_instance
from workflows_testing.servers.databases import PostgresDatabase


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_a_database_that_refuses_connections_is_unavailable(
    empty_postgres: PostgresDatabase, driver: str
) -> None:
    with psycopg.connect(empty_postgres.server.url, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{empty_postgres.name}" WITH ALLOW_CONNECTIONS false')
    store = create_store(empty_postgres.url_for(driver)).store
    keeper = store.lease_keeper()
    for attempt in (
        store.commit([an_instance().start()]),
        store.claim(ClaimRequest(worker="worker", limit=1, lease_s=1)),
        store.next_due(),
        keeper.renew("worker", 1),
    ):
        with pytest.raises(StoreUnavailableError):
            await attempt
    await keeper.close()
    await asyncio.gather(store.close(), store.close())
