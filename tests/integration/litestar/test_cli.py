"""``litestar workflows …``: the commands of workflows with the engine of the application."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

APP = """
from litestar import Litestar
from litestar.di import Provide
from workflows_core import BaseHumanStep, LocalExecutionEngine, WorkflowDefinition, WorkflowRegistry
from workflows_litestar import WorkflowPlugin, WorkflowPluginConfig

registry = WorkflowRegistry()
registry.register(WorkflowDefinition("approval", "1.0.0", steps=[BaseHumanStep(name="review", title="Review")]))
engine = LocalExecutionEngine(registry)


def from_state(app):
    return app.state.engine


async def from_state_later(app):
    return app.state.engine


def make(engine):
    return Litestar(
        plugins=[WorkflowPlugin(WorkflowPluginConfig(engine=engine))],
        dependencies={} if engine is not None else {"workflow_engine": Provide(lambda: None, sync_to_thread=False)},
    )


with_engine, without_engine = make(engine), make(None)
with_function, with_coroutine = make(from_state), make(from_state_later)
for app in (with_function, with_coroutine):
    app.state.engine = engine
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "service.py").write_text(APP)
    return tmp_path


def litestar(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "litestar", "--app-dir", str(directory), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=directory)


@pytest.mark.parametrize("app", ["with_engine", "with_function", "with_coroutine"])
def test_the_commands_talk_to_the_engine_of_the_application(directory: Path, app: str) -> None:
    done = litestar(directory, "--app", f"service:{app}", "workflows", "definitions", "--json")
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    assert (found["name"], found["version"]) == ("approval", "1.0.0")


def test_without_an_engine_in_the_settings_the_commands_ask_which(directory: Path) -> None:
    done = litestar(directory, "--app", "service:without_engine", "workflows", "definitions")
    assert done.returncode == 2
    assert "--engine" in done.stdout + done.stderr
    named = litestar(
        directory, "--app", "service:without_engine", "workflows", "--engine", "service:engine", "graph", "approval"
    )
    assert named.stdout.startswith("flowchart TD"), named.stderr
