"""An event loop in a thread."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from workflows_core.engine.background_loop import BackgroundLoop


async def thread_name() -> str:
    await asyncio.sleep(0)
    return threading.current_thread().name


async def fail() -> None:
    raise LookupError("nothing is there")


def test_coroutines_of_all_threads_run_in_one_loop() -> None:
    loop = BackgroundLoop("background")
    with ThreadPoolExecutor(4) as threads:
        names = list(threads.map(lambda _: loop.run(thread_name()), range(8)))
    loop.stop()
    assert names == ["background"] * 8


def test_an_error_reaches_whoever_waits() -> None:
    loop = BackgroundLoop("background")
    with pytest.raises(LookupError):
        loop.run(fail())
    loop.stop()


def test_whoever_waits_gives_up_also_if_the_loop_is_blocked() -> None:
    loop = BackgroundLoop("background")
    gate, begun, ended = threading.Event(), threading.Event(), threading.Event()

    async def block() -> None:
        begun.set()
        assert gate.wait(10)

    async def come_late() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            ended.set()

    with ThreadPoolExecutor(1) as thread:
        blocking = thread.submit(loop.run, block())
        assert begun.wait(10)
        with pytest.raises(TimeoutError):
            loop.run(come_late(), within_s=0.05)
        gate.set()
        blocking.result()
    assert ended.wait(5), "it is cancelled as soon as the loop is free"
    loop.stop()


def test_its_thread_ends_with_it() -> None:
    loop = BackgroundLoop("background")
    loop.run(thread_name())
    loop.stop()
    assert "background" not in {thread.name for thread in threading.enumerate()}
