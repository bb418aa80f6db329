"""Without a broker: the database tells the workers. NOTIFY on PostgreSQL, the file's change counter on SQLite."""

from __future__ import annotations

from dishka import Provider, Scope, provide

from workflows_core.ports.executor import StepExecutor
from workflows_sqlalchemy.config import StoreAndQueries

__all__ = ["ExecutorProvider"]


class ExecutorProvider(Provider):
    """The notifier of the store."""

    scope = Scope.APP

    @provide(override=True)
    def executor(self, both: StoreAndQueries) -> StepExecutor:
        """Wakes the worker of this process and those of all others."""
        return both.store.notifier()
