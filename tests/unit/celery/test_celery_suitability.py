"""Which workers of Celery are refused, and which are told what they do to long steps."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from celery import Celery
from celery.concurrency.base import BasePool
from celery.concurrency.prefork import TaskPool as PreforkPool
from celery.concurrency.solo import TaskPool as SoloPool
from celery.concurrency.thread import TaskPool as ThreadPool

from workflows_celery.suitability import refuse_unsuitable, warn_of_cuts


@pytest.fixture
def app() -> Generator[Celery]:
    app = Celery("test", broker="memory://", set_as_current=False)
    yield app
    app.close()


class Worker:
    """A worker of Celery, as it is before it has made its pool."""

    max_tasks_per_child: int | None = None
    max_memory_per_child: int | None = None
    autoscale: list[int] | None = None

    def __init__(self, app: Celery, pool_cls: Any = PreforkPool) -> None:
        self.app = app
        self.pool_cls = pool_cls


PoolOfSomebody = type("PoolOfSomebody", (BasePool,), {"__module__": __name__})


@pytest.mark.parametrize("pool", ["prefork", "processes", "threads", "solo", PreforkPool, ThreadPool, SoloPool])
def test_the_pools_of_processes_and_threads_are_suitable(app: Celery, pool: Any) -> None:
    refuse_unsuitable(Worker(app, pool))


@pytest.mark.parametrize("pool", ["gevent", "eventlet"])
def test_pools_of_greenlets_are_refused(app: Celery, pool: str) -> None:
    greenlets = type("TaskPool", (BasePool,), {"__module__": f"celery.concurrency.{pool}"})
    with pytest.raises(SystemExit, match=f"'{pool}'.*--pool=prefork"):
        refuse_unsuitable(Worker(app, greenlets))


@pytest.mark.parametrize("pool", [PoolOfSomebody, f"{__name__}:PoolOfSomebody"])
def test_pools_that_are_not_known_are_refused(app: Celery, pool: Any) -> None:
    with pytest.raises(SystemExit, match=r"PoolOfSomebody.*--pool=prefork"):
        refuse_unsuitable(Worker(app, pool))


@pytest.mark.parametrize("accepted", [["json"], ["pickle", "application/json"]])
def test_a_worker_that_accepts_json_is_suitable(app: Celery, accepted: list[str]) -> None:
    app.conf.accept_content = accepted
    refuse_unsuitable(Worker(app))


@pytest.mark.parametrize("accepted", [["pickle"], ["yaml", "msgpack"]])
def test_a_worker_that_accepts_no_json_is_refused(app: Celery, accepted: list[str]) -> None:
    app.conf.accept_content = accepted
    with pytest.raises(SystemExit, match=rf"accept_content.*{accepted[0]}.*add 'json' to it"):
        refuse_unsuitable(Worker(app))


@pytest.mark.parametrize(
    ("attribute", "value", "option"),
    [
        ("max_tasks_per_child", 100, "worker_max_tasks_per_child"),
        ("max_memory_per_child", 200_000, "worker_max_memory_per_child"),
        ("autoscale", [8, 2], "--autoscale"),
    ],
)
def test_options_that_end_processes_under_their_steps_are_told(
    app: Celery, attribute: str, value: object, option: str, caplog: pytest.LogCaptureFixture
) -> None:
    for pool in (PreforkPool, ThreadPool):
        worker = Worker(app, pool)
        setattr(worker, attribute, value)
        warn_of_cuts(worker, drain_s=12.5)
    (record,) = caplog.records
    assert option in record.getMessage()
    assert "12.5 s" in record.getMessage()


def test_nothing_is_told_of_a_worker_without_them(app: Celery, caplog: pytest.LogCaptureFixture) -> None:
    warn_of_cuts(Worker(app), drain_s=30)
    assert caplog.records == []
