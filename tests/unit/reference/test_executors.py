"""Which executor the application takes, and what it says when it is not installed."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from workflows_reference.errors import DemoStartError
from workflows_reference.executors import executor_provider
from workflows_reference.settings import EXECUTORS, Settings
from workflows_reference.worker import worker_command


@pytest.mark.parametrize("executor", EXECUTORS)
def test_every_executor_has_a_provider_and_a_worker(executor: str) -> None:
    assert type(executor_provider(executor)).__name__ == "ExecutorProvider"
    assert worker_command(Settings(executor=executor))[1] == "-m"


@pytest.mark.parametrize("executor", ["saq", "celery", "arq"])
def test_an_executor_that_is_not_installed_is_said_with_the_extra_that_brings_it(
    executor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named '{executor}'", name=executor)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(DemoStartError) as raised:
        executor_provider(executor)
    assert f"WORKFLOWS_EXECUTOR={executor}: the package {executor} is not installed" in str(raised.value)
    assert f"--extra {executor}" in str(raised.value)
