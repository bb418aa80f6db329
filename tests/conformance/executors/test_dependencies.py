"""Steps get dependencies of their own for each attempt in the workers of every task queue, whatever provides them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conformance.executors.journals import LINES, LOG_VARIABLE, with_dishka, with_factories
from tests.conformance.executors.site import ENGINE_VARIABLE, OnRedis
from tests.conformance.executors.test_arq import WithARQ
from tests.conformance.executors.test_celery import WithCelery, WithThreads
from tests.conformance.executors.test_saq import WithSAQ

from workflows_core import WorkflowStatus
from workflows_core.adapters.wired_engine import WiredEngine
from workflows_testing.deployments import Connected, WorkerOptions
from workflows_testing.servers import RedisServer


@pytest.mark.parametrize("with_injector", [with_factories, with_dishka])
@pytest.mark.parametrize("with_queue", [WithSAQ, WithCelery, WithThreads, WithARQ])
async def test_each_attempt_in_a_worker_of_a_task_queue_has_dependencies_of_its_own(
    with_queue: type[OnRedis],
    with_injector: Callable[[Connected], WiredEngine],
    sqlite_url: str,
    tmp_path: Path,
    broker_server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = tmp_path / "journals"
    monkeypatch.setenv(LOG_VARIABLE, str(log))
    deployment = with_queue(sqlite_url, tmp_path, broker_server)
    engine_name = f"{with_injector.__module__}:{with_injector.__name__}"
    deployment.environment |= {ENGINE_VARIABLE: engine_name, LOG_VARIABLE: str(log)}
    async with deployment.connect() as connected, with_injector(connected) as engine:
        worker = await deployment.start_worker(WorkerOptions())
        try:
            started = await engine.start_workflow("order")
            finished = await engine.wait(started.id, timeout=20, until=lambda instance: instance.status.is_final)
        finally:
            await worker.kill()
    assert finished.status is WorkflowStatus.COMPLETED, finished.error
    assert finished.data["pid"] != os.getpid()
    assert log.read_text().splitlines() == LINES
