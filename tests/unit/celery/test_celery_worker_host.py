"""What an application of Celery gets, and what its processes do."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from typing import Any

import pytest
from celery import Celery, signals
from celery.concurrency.solo import TaskPool as SoloPool
from celery.concurrency.thread import TaskPool as ThreadPool

from workflows_celery import CeleryWorkerHost
from workflows_celery.ending import Ending
from workflows_core import LocalExecutionEngine

SIGNALS = (
    signals.worker_init,
    signals.worker_process_init,
    signals.worker_ready,
    signals.worker_shutting_down,
    signals.worker_process_shutdown,
    signals.worker_shutdown,
)


@pytest.fixture(autouse=True)
def _signals_of_this_test() -> Generator[None]:
    """Hooks are connected to the whole process."""
    before = [list(signal.receivers) for signal in SIGNALS]
    yield
    for signal, receivers in zip(SIGNALS, before, strict=True):
        signal.receivers[:] = receivers
        signal.sender_receivers_cache.clear()


@pytest.fixture
def app() -> Generator[Celery]:
    app = Celery("test", broker="memory://", set_as_current=False)
    yield app
    app.close()


def run(app: Celery) -> bool:
    task: Any = app.tasks["workflows.run"]
    return bool(task.run(queue="default", work="7:1"))


class Sender:
    """A worker of Celery, as far as the hooks look at it."""

    def __init__(self, pool_cls: type = SoloPool, pool: object = None) -> None:
        self.pool_cls = pool_cls
        self.pool = pool


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("pool", ["gevent", "eventlet"])
def test_pools_of_greenlets_are_refused(app: Celery, pool: str) -> None:
    CeleryWorkerHost(app, LocalExecutionEngine)
    greenlets = type("TaskPool", (), {"__module__": f"celery.concurrency.{pool}"})
    with pytest.raises(SystemExit, match=f"'{pool}'.*--pool=prefork"):
        signals.worker_init.send(sender=Sender(greenlets))


def test_nothing_is_begun_before_the_pool_forks(app: Celery) -> None:
    def make_engine() -> LocalExecutionEngine:
        pytest.fail("the engine belongs to the processes of the pool")

    before = threads()
    CeleryWorkerHost(app, make_engine)
    signals.worker_init.send(sender=Sender())
    signals.worker_process_init.send(sender=None)  # as the pool `solo` does, long before it is ready
    signals.worker_ready.send(sender=Sender())
    assert threads() == before
    assert not run(app)


def test_a_process_of_the_pool_begins_with_its_start_and_ends_with_its_end(app: Celery) -> None:
    host = CeleryWorkerHost(app, LocalExecutionEngine)
    signals.worker_process_init.send(sender=None)
    assert "workflows-celery-worker" in threads()
    assert host.concurrency == 1
    assert not run(app), "there is no work"
    signals.worker_process_shutdown.send(sender=None)
    assert "workflows-celery-worker" not in threads()


@pytest.mark.parametrize(("make_pool", "slots"), [(ThreadPool, 5), (SoloPool, 1)])
def test_a_pool_without_processes_begins_when_it_is_ready(app: Celery, make_pool: type, slots: int) -> None:
    host = CeleryWorkerHost(app, LocalExecutionEngine)
    signals.worker_init.send(sender=Sender(make_pool))
    pool = make_pool(limit=5)
    signals.worker_ready.send(sender=Sender(make_pool, pool))
    assert host.concurrency == slots
    assert not run(app), "there is no work"
    signals.worker_shutdown.send(sender=None)
    assert "workflows-celery-worker" not in threads()
    pool.stop()


def test_no_work_is_taken_from_the_moment_on_that_the_worker_is_told_to_end(app: Celery) -> None:
    host = CeleryWorkerHost(app, LocalExecutionEngine)
    signals.worker_init.send(sender=Sender())
    pool = SoloPool()
    signals.worker_ready.send(sender=Sender(pool=pool))
    signals.worker_shutting_down.send(sender="here", sig="SIGTERM", how="Warm", exitcode=0)
    pause = threading.Event()
    while host._stopping is None:
        assert not pause.wait(0.01)
    assert not run(app)
    signals.worker_shutdown.send(sender=None)
    assert "workflows-celery-worker" not in threads()


def test_a_process_hears_of_the_end_also_when_the_main_process_is_gone() -> None:
    ending = Ending()
    child = os.fork()
    if child == 0:
        here = ending.listen()
        os._exit(len(os.read(here, 1)))  # waits until nobody keeps the pipe open
    ending.tell()
    ending.tell()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
