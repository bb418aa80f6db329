"""A shop whose steps get a journal for each attempt; the same container in a web process and in a worker process."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

from dishka import AsyncContainer, FromDishka, Provider, Scope, make_async_container, provide

from workflows_core import (
    BaseMachineStep,
    EngineSettings,
    RetryPolicy,
    Workflow,
    WorkflowContext,
    WorkflowEngine,
    WorkflowRegistry,
)
from workflows_core.ports.queries import WorkflowQueries
from workflows_core.ports.store import WorkflowStore
from workflows_dishka import WorkflowsProvider
from workflows_sqlalchemy.config import StoreAndQueries, create_store


class Log:
    """A file that shows what happened to journals; lives as long as the process."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, line: str) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")


class Journal:
    """What an attempt did."""

    def __init__(self) -> None:
        self.entries: list[str] = []


class Check(BaseMachineStep):
    retry = RetryPolicy(max_attempts=2, initial_delay_s=0, jitter=0)

    async def can_execute(self, context: WorkflowContext, journal: FromDishka[Journal]) -> bool:
        journal.entries.append("guard")
        return True

    async def execute(self, context: WorkflowContext, journal: FromDishka[Journal], log: FromDishka[Log]) -> None:
        log.write(f"checking with {type(journal).__name__}")
        journal.entries.append("execute")
        if context.attempt == 1:
            raise LookupError(context.current_step)

    async def on_success(self, context: WorkflowContext, result: None, journal: FromDishka[Journal]) -> None:
        journal.entries.append("success")


class Pack(BaseMachineStep):
    def execute(self, context: WorkflowContext, *, journal: FromDishka[Journal]) -> None:
        journal.entries.append("packed in a thread")
        context.set("pid", os.getpid())


class Order(Workflow):
    __steps__ = [Check, Pack]
    __edges__ = [(Check, Pack)]


class ShopProvider(Provider):
    scope = Scope.APP

    def __init__(self, database: str, log: Path) -> None:
        super().__init__()
        self._database = database
        self._log = log

    @provide
    def registry(self) -> WorkflowRegistry:
        registry = WorkflowRegistry()
        registry.register(Order)
        return registry

    @provide
    def both(self) -> StoreAndQueries:
        return create_store(self._database)

    @provide
    def store(self, both: StoreAndQueries) -> WorkflowStore:
        return both.store

    @provide
    def queries(self, both: StoreAndQueries) -> WorkflowQueries:
        return both.queries

    @provide(override=True)
    def settings(self) -> EngineSettings:
        return EngineSettings(poll_s=0.05)

    @provide
    def log(self) -> Log:
        return Log(self._log)

    @provide(scope=Scope.REQUEST)
    def journal(self, context: WorkflowContext, log: Log) -> Generator[Journal, BaseException | None]:
        journal = Journal()
        error = yield journal
        how = "well" if error is None else type(error).__name__
        log.write(f"{context.current_step} {context.attempt}: {', '.join(journal.entries)}; ended {how}")


def make_container(database: str, log: Path) -> AsyncContainer:
    return make_async_container(WorkflowsProvider(), ShopProvider(database, log))


async def make_engine() -> WorkflowEngine:
    """For the command ``workflows worker``."""
    container = make_container(os.environ["SHOP_DATABASE"], Path(os.environ["SHOP_LOG"]))
    return await container.get(WorkflowEngine)
