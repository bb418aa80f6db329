"""Threads for code that nothing can stop: they do not keep the process from ending."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, ParamSpec, TypeVar

__all__ = ["StepThreads"]

P = ParamSpec("P")
T = TypeVar("T")


class StepThreads(ThreadPoolExecutor):
    """Threads for steps that are written with ``def``.

    The interpreter waits at its exit for the threads of other executors, and so for ever for a step that hangs. It does not wait for
    these: what still runs when the process ends is cut off, as by a crash, and its work has been given back by then. A thread is started
    only when all others are busy. This can be the default executor of an event loop, which takes nothing but a `ThreadPoolExecutor`.

    Args:
        most: Most threads; further calls wait for one.
    """

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self._most = most
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._guard = threading.Lock()
        self._started = 0
        self._under_way = 0
        self._is_closed = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a function in a thread.

        Raises:
            RuntimeError: It is shut down.
        """
        future: Future[T] = Future()
        with self._guard:
            if self._is_closed:
                msg = "no step is run in a thread any more: the engine is closed"
                raise RuntimeError(msg)
            self._calls.put((future, partial(fn, *args, **kwargs)))
            self._under_way += 1
            if self._started < min(self._under_way, self._most):
                self._started += 1
                name = f"workflows-step-{self._started}"
                threading.Thread(target=self._work, name=name, daemon=True).start()
        return future

    @property
    def busy(self) -> int:
        """How many calls have not ended, whether somebody waits for them or not."""
        return self._under_way

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        """Start nothing any more; this never waits for what runs."""
        with self._guard:
            self._is_closed = True
        if cancel_futures:
            with suppress(Empty):
                while (call := self._calls.get_nowait()) is not None:
                    call[0].cancel()
                    self._ended()
        self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            self._carry_out(*call)
            del call  # or a thread that waits would keep the result
        self._calls.put(None)  # for the next thread

    def _carry_out(self, future: Future[Any], function: Callable[[], Any]) -> None:
        if not future.set_running_or_notify_cancel():
            self._ended()
            return
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits
            self._ended()
            future.set_exception(error)
            del future  # or the error, whose traceback has this frame, would be in a cycle with it
        else:
            self._ended()
            future.set_result(result)

    def _ended(self) -> None:
        with self._guard:
            self._under_way -= 1
