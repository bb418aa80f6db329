"""The composition root: the only module that knows every adapter. Everything else asks for what it needs.

Swapping an adapter (another store, another executor, another directory of people) is a change in this file and in no other.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, NewType

from dishka import AsyncContainer, Provider, Scope, from_context, make_async_container, provide
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from workflows_core import EngineSettings, WorkflowEngine, WorkflowRegistry
from workflows_core.ports.queries import WorkflowQueries
from workflows_core.ports.store import WorkflowStore
from workflows_dishka import WorkflowsProvider
from workflows_reference.accounts.directory import UserDirectory
from workflows_reference.accounts.tokens import SessionTokens
from workflows_reference.archive import Archive
from workflows_reference.executors import executor_provider
from workflows_reference.local_worker import LocalWorker
from workflows_reference.records import Records
from workflows_reference.secret_file import read_or_make_secret
from workflows_reference.settings import InvalidSettingError, Settings
from workflows_reference.workflows.document_review import document_review
from workflows_reference.workflows.expense import ExpenseApproval
from workflows_reference.workflows.onboarding import employee_onboarding
from workflows_sqlalchemy.config import StoreAndQueries, create_store

__all__ = ["Secret", "make_container", "open_engine"]

API_PATH: Final = "/workflows/api"
_CONNECT_S: Final = 10.0
"""How long to wait for PostgreSQL to take a connection, and for a lock of SQLite."""

Secret = NewType("Secret", bytes)
"""Signs sessions and webhook addresses."""


class AdapterProvider(Provider):
    """The adapters of the ports of workflows."""

    scope = Scope.APP

    @provide
    def store_and_queries(self, settings: Settings) -> StoreAndQueries:
        """The two sides of the database; they have connections of their own, made for what they do."""
        return create_store(settings.sqlalchemy_url)

    @provide
    def store(self, both: StoreAndQueries) -> WorkflowStore:
        """Where workflows live; closed with the engine."""
        return both.store

    @provide
    def queries(self, both: StoreAndQueries) -> WorkflowQueries:
        """Lists and look-ups."""
        return both.queries

    @provide
    async def local_worker(self, engine: WorkflowEngine) -> AsyncIterator[LocalWorker]:
        """The worker of this process, not yet started; stopped before the engine is closed."""
        worker = LocalWorker(engine)
        yield worker
        await worker.stop()

    @provide(override=True)
    def engine_settings(self, settings: Settings, secret: Secret) -> EngineSettings:
        """What the environment says about the engine."""
        return EngineSettings(
            secret=secret,
            public_url=f"{settings.base_url}{API_PATH}",
            lease_s=settings.lease_s,
            poll_s=settings.poll_s,
        )


class DemoProvider(Provider):
    """What is the demo's own."""

    scope = Scope.APP
    settings = from_context(Settings, scope=Scope.APP)

    @provide
    async def database(self, settings: Settings) -> AsyncIterator[AsyncEngine]:
        """Connections for the demo's own tables, which are in the same database."""
        engine = create_async_engine(settings.sqlalchemy_url, connect_args={"timeout": _CONNECT_S})
        yield engine
        await engine.dispose()

    @provide
    def secret(self, settings: Settings) -> Secret:
        """From the environment, else from the data directory."""
        return Secret(settings.secret or read_or_make_secret(settings.data_dir))

    @provide
    def tokens(self, secret: Secret) -> SessionTokens:
        """Sessions."""
        return SessionTokens(secret)

    @provide
    def directory(self, engine: AsyncEngine) -> UserDirectory:
        """People."""
        return UserDirectory(engine)

    @provide
    def records(self, engine: AsyncEngine) -> Records:
        """Payments, accounts and orders."""
        return Records(engine)

    @provide
    def archive(self, settings: Settings) -> Archive:
        """Receipts and documents."""
        return Archive(settings.data_dir / "files")

    @provide
    def registry(
        self, settings: Settings, records: Records, directory: UserDirectory, archive: Archive
    ) -> WorkflowRegistry:
        """The demo's workflows, and those of the modules that the environment names."""
        registry = WorkflowRegistry()
        registry.register(ExpenseApproval)  # its steps get what they need from this container, attempt by attempt
        registry.register(document_review(directory=directory, archive=archive))
        registry.register(employee_onboarding(records=records, archive=archive))
        for name in settings.modules:
            try:
                found = importlib.import_module(name).WORKFLOWS
            except (ImportError, AttributeError) as error:
                raise InvalidSettingError(
                    "WORKFLOWS_MODULES", name, f"a module with a list WORKFLOWS ({error})"
                ) from error
            for workflow in found:
                registry.register(workflow)
        return registry


def make_container(settings: Settings) -> AsyncContainer:
    """The container of a process. Nothing is connected to, read or written until somebody asks for it.

    Args:
        settings: What the environment says.

    Raises:
        DemoStartError: The executor that the settings name is not installed.
    """
    providers = (WorkflowsProvider(), AdapterProvider(), executor_provider(settings.executor), DemoProvider())
    return make_async_container(*providers, context={Settings: settings})


@asynccontextmanager
async def open_engine(settings: Settings) -> AsyncIterator[WorkflowEngine]:
    """The engine of a process that only runs steps, out of a container that is closed at the end.

    Raises:
        DemoStartError: The executor that the settings name is not installed.
    """
    container = make_container(settings)
    try:
        yield await container.get(WorkflowEngine)
    finally:
        await container.close()
