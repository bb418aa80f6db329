"""What an application of Celery gets, and what its processes do."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from celery import Celery, signals
from celery.app import app_or_default
from celery.concurrency.base import BasePool
from celery.concurrency.prefork import TaskPool as PreforkPool
from celery.concurrency.solo import TaskPool as SoloPool
from celery.concurrency.thread import TaskPool as ThreadPool

from workflows_celery import CeleryWorkerHost
from workflows_celery.ending import Ending
from workflows_core import LocalExecutionEngine
from workflows_core.errors import StoreUnavailableError

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
    """The application whose worker this process is."""
    before = app_or_default()
    app = Celery("test", broker="memory://")
    app.set_current()
    yield app
    app.close()
    before.set_current()


def run(app: Celery) -> bool:
    task: Any = app.tasks["workflows.run"]
    return bool(task.run(queue="default", work="7:1"))


class Sender:
    """A worker of Celery and its consumer, as far as the hooks look at them."""

    max_tasks_per_child: int | None = None
    max_memory_per_child: int | None = None
    autoscale: list[int] | None = None

    def __init__(self, app: Celery, pool_cls: Any = SoloPool, pool: object = None) -> None:
        self.app = app
        self.pool_cls = pool_cls
        self.pool = pool
        self.controller = self


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def test_a_worker_that_cannot_run_workflows_is_refused_if_it_is_the_application_s(app: Celery) -> None:
    CeleryWorkerHost(app, LocalExecutionEngine)
    greenlets = type("TaskPool", (BasePool,), {"__module__": "celery.concurrency.gevent"})
    with Celery("test", broker="memory://", set_as_current=False) as other:
        signals.worker_init.send(sender=Sender(other, greenlets))
    with pytest.raises(SystemExit, match="'gevent'"):
        signals.worker_init.send(sender=Sender(app, greenlets))


def test_a_worker_is_told_what_cuts_off_its_steps(app: Celery, caplog: pytest.LogCaptureFixture) -> None:
    CeleryWorkerHost(app, LocalExecutionEngine, drain_s=7)
    worker = Sender(app, PreforkPool)
    worker.max_tasks_per_child = 10
    signals.worker_ready.send(sender=worker)
    assert "more than 7 s" in caplog.text


def test_nothing_is_begun_before_the_pool_forks(app: Celery) -> None:
    def make_engine() -> LocalExecutionEngine:
        pytest.fail("the engine belongs to the processes of the pool")

    before = threads()
    CeleryWorkerHost(app, make_engine)
    signals.worker_init.send(sender=Sender(app))
    signals.worker_process_init.send(sender=None)  # as the pool `solo` does, long before it is ready
    signals.worker_ready.send(sender=Sender(app, PreforkPool))
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
    signals.worker_init.send(sender=Sender(app, make_pool))
    pool = make_pool(limit=5)
    signals.worker_ready.send(sender=Sender(app, make_pool, pool))
    assert host.concurrency == slots
    assert not run(app), "there is no work"
    signals.worker_shutdown.send(sender=None)
    assert "workflows-celery-worker" not in threads()
    pool.stop()


def test_no_work_is_taken_from_the_moment_on_that_the_worker_is_told_to_end(app: Celery) -> None:
    host = CeleryWorkerHost(app, LocalExecutionEngine)
    signals.worker_init.send(sender=Sender(app))
    pool = SoloPool()
    signals.worker_ready.send(sender=Sender(app, pool=pool))
    signals.worker_shutting_down.send(sender="here", sig="SIGTERM", how="Warm", exitcode=0)
    pause = threading.Event()
    while host._stopping is None:
        assert not pause.wait(0.01)
    assert not run(app)
    signals.worker_shutdown.send(sender=None)
    assert "workflows-celery-worker" not in threads()


def test_a_hint_that_comes_before_the_worker_is_up_waits_for_it(app: Celery) -> None:
    is_there = threading.Event()

    async def make_engine() -> LocalExecutionEngine:
        await asyncio.to_thread(is_there.wait, 10)
        return LocalExecutionEngine()

    CeleryWorkerHost(app, make_engine)
    signals.worker_process_init.send(sender=None)
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(run, app)
        with pytest.raises(TimeoutError):
            answer.result(0.2)
        is_there.set()
        assert not answer.result(10), "there is no work"
    signals.worker_process_shutdown.send(sender=None)


def test_a_hint_waits_no_longer_when_the_process_ends_before_the_worker_is_up(app: Celery) -> None:
    async def make_engine() -> LocalExecutionEngine:
        await asyncio.sleep(60)
        raise AssertionError

    CeleryWorkerHost(app, make_engine)
    signals.worker_process_init.send(sender=None)
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(run, app)
        signals.worker_process_shutdown.send(sender=None)
        assert not answer.result(5)
    assert "workflows-celery-worker" not in threads()


def test_a_factory_that_fails_is_asked_again_and_told_once(app: Celery, caplog: pytest.LogCaptureFixture) -> None:
    made = threading.Event()
    errors: list[Exception] = [
        StoreUnavailableError("it is away"),
        StoreUnavailableError("it is away"),
        OSError("no key"),
    ]

    def make_engine() -> LocalExecutionEngine:
        if errors:
            raise errors.pop(0)
        made.set()
        return LocalExecutionEngine()

    CeleryWorkerHost(app, make_engine)
    signals.worker_process_init.send(sender=None)
    assert made.wait(10)
    assert not run(app)
    signals.worker_process_shutdown.send(sender=None)
    told = [record for record in caplog.records if record.name == "workflows_celery.worker"]
    assert [record.exc_info is not None for record in told] == [False, True], "what is not foreseen is told in full"
    assert "the store is not available: it is away" in told[0].getMessage()


@pytest.mark.parametrize("make_pool", [PreforkPool, ThreadPool])
def test_two_applications_in_a_process_keep_to_their_own_workers(app: Celery, make_pool: type) -> None:
    def make_engine() -> LocalExecutionEngine:
        pytest.fail("this application has no worker here")

    with Celery("test", broker="memory://", set_as_current=False) as other:
        ours, theirs = CeleryWorkerHost(app, LocalExecutionEngine), CeleryWorkerHost(other, make_engine)
        pool = ThreadPool(limit=1)
        if make_pool is ThreadPool:
            signals.worker_init.send(sender=Sender(app, make_pool))
            signals.worker_ready.send(sender=Sender(app, make_pool, pool))
        else:
            signals.worker_process_init.send(sender=None)
        assert (ours._loop is not None, theirs._loop is not None) == (True, False)
        assert not run(app)
        assert not run(other)
        signals.worker_shutdown.send(sender=None)
        pool.stop()


def test_a_spawned_process_works_for_a_copy_of_the_application(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORKED_BY_MULTIPROCESSING", "1")
    with Celery("test", broker="memory://", set_as_current=False) as original:
        host = CeleryWorkerHost(original, LocalExecutionEngine)
        signals.worker_process_init.send(sender=None)
        assert host._loop is not None
        signals.worker_process_shutdown.send(sender=None)


def test_a_process_hears_of_the_end_also_when_the_main_process_is_gone() -> None:
    ending = Ending()
    child = os.fork()
    if child == 0:
        here = ending.listen()
        os._exit(len(os.read(here, 1)))  # waits until nobody keeps the pipe open
    ending.tell()
    ending.tell()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
