"""Engines of worker processes whose steps get a journal for each attempt: from plain factories, or from a dishka container."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

from dishka import Provider, Scope, make_async_container

from workflows_core import (
    BaseMachineStep,
    EngineSettings,
    FactoryInjector,
    Injected,
    RetryPolicy,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowRegistry,
)
from workflows_core.adapters.wired_engine import WiredEngine
from workflows_core.ports.injection import StepInjector
from workflows_dishka import DishkaInjector
from workflows_testing.deployments import Connected

LOG_VARIABLE = "WORKFLOWS_TEST_JOURNALS"
LINES = [
    "check 1: opened",
    "check 1: guard, execute; ended LookupError",
    "check 2: opened",
    "check 2: guard, execute, success; ended well",
    "pack 1: opened",
    "pack 1: packed in a thread; ended well",
]


class Log:
    """A file that shows what happened to journals; lives as long as the process."""

    def __init__(self) -> None:
        self._path = Path(os.environ[LOG_VARIABLE])

    def write(self, line: str) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")


class Journal:
    """What an attempt did."""

    def __init__(self, context: WorkflowContext, log: Log) -> None:
        self.entries: list[str] = []
        self._log = log
        self._whose = f"{context.current_step} {context.attempt}"
        log.write(f"{self._whose}: opened")

    def close(self, error: BaseException | None) -> None:
        how = "well" if error is None else type(error).__name__
        self._log.write(f"{self._whose}: {', '.join(self.entries)}; ended {how}")


class Check(BaseMachineStep):
    retry = RetryPolicy(max_attempts=2, initial_delay_s=0, jitter=0)

    async def can_execute(self, context: WorkflowContext, journal: Injected[Journal]) -> bool:
        journal.entries.append("guard")
        return True

    async def execute(self, context: WorkflowContext, journal: Injected[Journal]) -> None:
        journal.entries.append("execute")
        if context.attempt == 1:
            raise LookupError(context.current_step)

    async def on_success(self, context: WorkflowContext, result: None, journal: Injected[Journal]) -> None:
        journal.entries.append("success")


class Pack(BaseMachineStep):
    def execute(self, context: WorkflowContext, journal: Injected[Journal]) -> None:
        journal.entries.append("packed in a thread")
        context.set("pid", os.getpid())


def journal_of_factory(context: WorkflowContext, log: Log) -> Generator[Journal]:
    journal = Journal(context, log)
    try:
        yield journal
    except LookupError as error:
        journal.close(error)
        raise
    else:
        journal.close(None)


def journal_of_dishka(context: WorkflowContext, log: Log) -> Generator[Journal, BaseException | None]:
    journal = Journal(context, log)
    journal.close((yield journal))


def with_factories(connected: Connected) -> WiredEngine:
    log = Log()
    return _engine(connected, FactoryInjector({Journal: journal_of_factory, Log: lambda: log}))


def with_dishka(connected: Connected) -> WiredEngine:
    provider = Provider(scope=Scope.REQUEST)
    provider.from_context(WorkflowContext)
    provider.provide(Log, scope=Scope.APP)
    provider.provide(journal_of_dishka)
    return _engine(connected, DishkaInjector(make_async_container(provider)))


def _engine(connected: Connected, injector: StepInjector) -> WiredEngine:
    registry = WorkflowRegistry()
    registry.register(WorkflowDefinition("order", steps=[Check(), Pack()], edges=[("check", "pack")]))
    return WiredEngine(
        registry,
        store=connected.store,
        queries=connected.queries,
        executor=connected.executor,
        settings=EngineSettings(poll_s=0.1),
        injector=injector,
    )
