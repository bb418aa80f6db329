"""Workflows whose step hangs in a thread, unless a file lets it end; and the engine of the processes that run them."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from workflows_core import BaseMachineStep, EngineSettings, WorkflowContext, WorkflowDefinition, WorkflowRegistry
from workflows_core.adapters.wired_engine import WiredEngine
from workflows_sqlalchemy import create_store

DATABASE = "sqlite:///hanging.db"
BEGUN = Path("begun")
MAY_END = Path("may-end")


def hang() -> int:
    BEGUN.touch()
    while not MAY_END.exists():
        time.sleep(0.01)
    return os.getpid()


class Hang(BaseMachineStep):
    def execute(self, context: WorkflowContext) -> None:
        context.set("pid", hang())


class HangAside(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None:
        context.set("pid", await asyncio.to_thread(hang))


def make_engine() -> WiredEngine:
    registry = WorkflowRegistry()
    registry.register(WorkflowDefinition("hang", steps=[Hang()]))
    registry.register(WorkflowDefinition("hang-aside", steps=[HangAside()]))
    store, queries = create_store(DATABASE)
    settings = EngineSettings(poll_s=0.1)
    return WiredEngine(registry, store=store, queries=queries, executor=store.notifier(), settings=settings)
