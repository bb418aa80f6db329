"""PostgreSQL crashes, ends connections, and is behind a network that cuts them: workers and callers outlast all of it."""

from __future__ import annotations

import asyncio
import random
from urllib.parse import urlsplit

import psycopg
from tests.chaos.conftest import OpenWorld
from tests.chaos.proxy import CuttingProxy

from workflows_testing.servers import PostgresServer
from workflows_testing.servers.databases import PostgresDatabase


async def test_a_server_that_crashes_under_load_loses_nothing(
    postgres_url: str, server: PostgresServer, open_world: OpenWorld, rounds: int
) -> None:
    world = open_world(postgres_url)

    async def crash() -> None:
        for _ in range(2 * rounds):
            await asyncio.sleep(random.uniform(0.2, 0.8))
            await asyncio.to_thread(server.stop, immediate=True)
            await asyncio.sleep(random.uniform(0, 0.5))
            await asyncio.to_thread(server.start)

    world.start_workers(2)
    await world.under_load(crash())
    assert len(world.alive) == 2, "a worker outlasts a server that is away"


async def test_a_server_that_is_away_for_longer_than_a_lease_is_outlasted(
    postgres_url: str, server: PostgresServer, open_world: OpenWorld
) -> None:
    world = open_world(postgres_url)
    gate = world.directory / "gate"
    [worker] = world.start_workers(1)
    await world.start("gated", gate=str(gate))
    await world.until("the gate", lambda: worker.pid in world.effects.under_way())
    await asyncio.to_thread(server.stop)
    try:
        await world.until("the notice", lambda: "has ended without a renewal" in worker.log)
        gate.touch()
    finally:
        await asyncio.to_thread(server.start)
    await world.settle()
    assert worker.is_alive


async def test_connections_that_the_server_ends_at_random_lose_nothing(
    database: PostgresDatabase, open_world: OpenWorld, rounds: int
) -> None:
    world = open_world(database.url_for("asyncpg"))
    one_of_them = (
        "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 2) victims"
    )

    async def terminate() -> None:
        async with await psycopg.AsyncConnection.connect(database.url, autocommit=True) as connection:
            for _ in range(40 * rounds):
                await asyncio.sleep(random.uniform(0, 0.1))
                await connection.execute(one_of_them)

    world.start_workers(2)
    await world.under_load(terminate())


async def test_a_network_that_cuts_connections_in_the_middle_of_anything_loses_nothing(
    postgres_url: str, open_world: OpenWorld, rounds: int
) -> None:
    port = urlsplit(postgres_url).port
    assert port is not None
    async with CuttingProxy(port) as proxy:
        world = open_world(postgres_url.replace(f":{port}/", f":{proxy.port}/"))

        async def cut() -> None:
            for _ in range(12 * rounds):
                await asyncio.sleep(random.uniform(0, 0.25))
                proxy.cut()

        await asyncio.to_thread(world.start_workers, 2)  # through the proxy, which is served by this event loop
        await world.under_load(cut())
        await world.engine.aclose()
