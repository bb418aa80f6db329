"""Through Celery: `workflows_reference.worker_celery` is the other end."""

from __future__ import annotations

from collections.abc import Iterator

from celery import Celery
from dishka import Provider, Scope, provide

from workflows_celery import CeleryStepExecutor
from workflows_core.ports.executor import StepExecutor
from workflows_reference.settings import Settings

__all__ = ["ExecutorProvider", "make_app"]


class ExecutorProvider(Provider):
    """The application of Celery, and hints through it."""

    scope = Scope.APP

    @provide
    def app(self, settings: Settings) -> Iterator[Celery]:
        """Connects when the first hint is sent."""
        app = make_app(settings)
        yield app
        app.close()

    @provide(override=True)
    def executor(self, app: Celery) -> StepExecutor:
        """Sends hints as tasks."""
        return CeleryStepExecutor(app)


def make_app(settings: Settings) -> Celery:
    """The application, not yet connected."""
    app = Celery("workflows_reference", broker=settings.broker_url or settings.redis_url, set_as_current=False)
    app.conf.update(task_default_queue="workflows", broker_connection_retry_on_startup=True)
    return app
