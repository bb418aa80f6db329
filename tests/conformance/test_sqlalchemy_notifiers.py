"""The notifiers of both databases keep the rules of executors and of wake-ups; hints come from another process' notifier."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from workflows_core.ports.executor import StepExecutor
from workflows_core.ports.wake_ups import WakeUps
from workflows_sqlalchemy import create_store, schema
from workflows_sqlalchemy.postgresql.notifier import PostgreSQLNotifier
from workflows_sqlalchemy.sqlite.notifier import SQLiteNotifier
from workflows_testing.builders import an_instance
from workflows_testing.conformance import StepExecutorConformance, WakeUpsConformance
from workflows_testing.conformance.wake_ups import REF
from workflows_testing.servers.databases import PostgresDatabase


async def notifier_of(url: str) -> AsyncGenerator[Any]:
    store = create_store(url).store
    notifier: Any = store.notifier()
    yield notifier
    await notifier.close()
    await store.close()


async def hint(notifier: StepExecutor, queue: str) -> None:
    await notifier.publish([REF], queue=queue)


class Notifying:
    """A notifier of a database, and one of another process."""

    @pytest.fixture
    async def notifier(self, url: str) -> AsyncGenerator[Any]:
        async for notifier in notifier_of(url):
            yield notifier

    @pytest.fixture
    async def unreachable_notifier(self, unreachable_url: str) -> AsyncGenerator[Any]:
        async for notifier in notifier_of(unreachable_url):
            yield notifier

    @pytest.fixture
    def executor(self, notifier: StepExecutor) -> StepExecutor:
        return notifier

    @pytest.fixture
    def unreachable(self, unreachable_notifier: StepExecutor) -> StepExecutor:
        return unreachable_notifier

    @pytest.fixture
    def wake_ups(self, notifier: WakeUps) -> WakeUps:
        return notifier

    @pytest.fixture
    def deaf(self, unreachable_notifier: WakeUps) -> WakeUps:
        return unreachable_notifier


class OnPostgreSQL(Notifying):
    driver: str

    @pytest.fixture
    def url(self, postgres_database: PostgresDatabase) -> str:
        return postgres_database.url_for(self.driver)

    @pytest.fixture
    def unreachable_url(self) -> str:
        return f"postgresql+{self.driver}://postgres@127.0.0.1:1/none"

    @pytest.fixture
    async def give_hint(self, url: str) -> AsyncGenerator[Callable[[str], Awaitable[None]]]:
        async for other in notifier_of(url):
            yield partial(hint, other)


class OnAsyncpg(OnPostgreSQL):
    driver = "asyncpg"


class OnPsycopg(OnPostgreSQL):
    driver = "psycopg"


class OnSQLite(Notifying):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        url = f"sqlite+aiosqlite:///{tmp_path / 'workflows.db'}"
        schema.upgrade_sync(url)
        return url

    @pytest.fixture
    def unreachable_url(self) -> str:
        return "sqlite+aiosqlite:////nowhere/at/all.db"

    @pytest.fixture
    async def give_hint(self, url: str) -> AsyncGenerator[Callable[[str], Awaitable[None]]]:
        other = create_store(url).store

        async def write(_queue: str) -> None:
            await other.commit([an_instance().start()])

        yield write
        await other.close()


class TestPostgreSQLNotifierThroughAsyncpg(OnAsyncpg, StepExecutorConformance):
    adapter = PostgreSQLNotifier


class TestPostgreSQLNotifierThroughPsycopg(OnPsycopg, StepExecutorConformance):
    adapter = PostgreSQLNotifier


class TestPostgreSQLNotifierAsWakeUpsThroughAsyncpg(OnAsyncpg, WakeUpsConformance):
    adapter = PostgreSQLNotifier


class TestPostgreSQLNotifierAsWakeUpsThroughPsycopg(OnPsycopg, WakeUpsConformance):
    adapter = PostgreSQLNotifier


class TestSQLiteNotifier(OnSQLite, StepExecutorConformance):
    adapter = SQLiteNotifier


class TestSQLiteNotifierAsWakeUps(OnSQLite, WakeUpsConformance):
    adapter = SQLiteNotifier
