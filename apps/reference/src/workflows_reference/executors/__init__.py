"""How ready work reaches a worker: one module for each way. Each needs packages of its own, and only the chosen one is imported."""

from __future__ import annotations

import importlib
from typing import Final

from dishka import Provider

from workflows_reference.errors import DemoStartError

__all__ = ["BROKERED", "executor_provider"]

BROKERED: Final = frozenset({"saq", "celery", "arq"})
"""Executors with a broker, for which Redis will do."""

_MODULES: Final = {"local": "database", "postgres": "database", "saq": "saq", "celery": "celery", "arq": "arq"}


def executor_provider(name: str) -> Provider:
    """The provider of an executor.

    Args:
        name: One of `workflows_reference.settings.EXECUTORS`.

    Raises:
        DemoStartError: Its packages are not installed; says which extra of the application brings them.
    """
    try:
        module = importlib.import_module(f"workflows_reference.executors.{_MODULES[name]}")
    except ModuleNotFoundError as error:
        raise DemoStartError(
            f"cannot use WORKFLOWS_EXECUTOR={name}",
            f"the package {error.name} is not installed",
            f"install the extra {name!r}: uv run --package workflows-reference --extra {name} workflows-demo",
        ) from error
    provider: Provider = module.ExecutorProvider()
    return provider
