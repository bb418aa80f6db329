"""The threads of steps: reused, limited, and left to themselves at the end."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Generator
from concurrent.futures import CancelledError

import pytest

from workflows_core.engine.threads import StepThreads

HANGING = """
import threading
from workflows_core.engine.threads import StepThreads

begun = threading.Event()

def hang():
    begun.set()
    threading.Event().wait()

StepThreads(2).submit(hang)
begun.wait()
"""


@pytest.fixture
def threads() -> Generator[StepThreads]:
    made = StepThreads(2)
    yield made
    made.shutdown()


def true(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_an_answer_and_an_error_are_handed_over(threads: StepThreads) -> None:
    assert threads.submit(divmod, 7, 2).result(5) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        threads.submit(divmod, 7, 0).result(5)
    assert threads.busy == 0


def test_a_thread_that_is_free_is_used_again(threads: StepThreads) -> None:
    assert len({threads.submit(threading.get_ident).result(5) for _ in range(20)}) == 1


def test_an_error_that_nobody_keeps_is_gone(threads: StepThreads) -> None:
    class KeptError(Exception):
        """Can be watched."""

    def fail() -> None:
        raise KeptError

    def failed() -> weakref.ref[BaseException]:
        error = threads.submit(fail).exception(5)
        assert error is not None
        return weakref.ref(error)

    gc.disable()
    try:
        error = failed()
        true(lambda: error() is None)
    finally:
        gc.enable()


def test_calls_beyond_the_threads_wait_for_one(threads: StepThreads) -> None:
    gate, begun = threading.Event(), threading.Semaphore(0)

    def call() -> int:
        begun.release()
        gate.wait()
        return threading.get_ident()

    calls = [threads.submit(call) for _ in range(5)]
    assert begun.acquire(timeout=5)
    assert begun.acquire(timeout=5)
    assert not begun.acquire(timeout=0.05)
    assert threads.busy == 5
    gate.set()
    assert len({call.result(5) for call in calls}) == 2
    assert threads.busy == 0


def test_nothing_is_begun_after_a_shutdown_which_waits_for_nobody(threads: StepThreads) -> None:
    gate = threading.Event()
    running = [threads.submit(gate.wait) for _ in range(2)]
    true(lambda: all(call.running() for call in running))
    waiting = threads.submit(gate.wait)
    threads.shutdown(cancel_futures=True)
    with pytest.raises(CancelledError):
        waiting.result(5)
    with pytest.raises(RuntimeError, match="closed"):
        threads.submit(gate.wait)
    assert threads.busy == 2
    gate.set()
    assert [call.result(5) for call in running] == [True, True]


def test_idle_threads_end_with_a_shutdown() -> None:
    threads, together = StepThreads(3), threading.Barrier(3)

    def meet() -> threading.Thread:
        together.wait(5)
        return threading.current_thread()

    used = [call.result(5) for call in [threads.submit(meet) for _ in range(3)]]
    assert len(set(used)) == 3
    threads.shutdown()
    true(lambda: not any(thread.is_alive() for thread in used))


def test_a_call_that_was_cancelled_while_it_waited_is_not_made(threads: StepThreads) -> None:
    gate = threading.Event()
    running = [threads.submit(gate.wait) for _ in range(2)]
    waiting = threads.submit(pytest.fail)
    assert waiting.cancel()
    gate.set()
    assert [call.result(5) for call in running] == [True, True]
    true(lambda: threads.busy == 0)


def test_a_call_that_hangs_does_not_keep_the_process() -> None:
    subprocess.run([sys.executable, "-c", HANGING], check=True, timeout=60)
