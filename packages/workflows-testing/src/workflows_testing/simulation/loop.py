"""An event loop whose time is virtual and whose order is chosen by a seed."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import math
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextvars import Context
from random import Random
from typing import Any, Final, NoReturn, TypeAlias, TypeVar, TypeVarTuple, Unpack
from weakref import WeakSet

from workflows_testing.simulation.cohorts import CURRENT_COHORT, Cohort, Condition
from workflows_testing.simulation.errors import SimulationError

__all__ = ["SimulatedLoop"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
Ready: TypeAlias = tuple[asyncio.Handle, Cohort | None]

_NEVER_US: Final = 10**18
_REAL_IO: Final = (
    "add_reader",
    "add_signal_handler",
    "add_writer",
    "connect_accepted_socket",
    "connect_read_pipe",
    "connect_write_pipe",
    "create_connection",
    "create_datagram_endpoint",
    "create_server",
    "create_unix_connection",
    "create_unix_server",
    "getaddrinfo",
    "getnameinfo",
    "sendfile",
    "sock_accept",
    "sock_connect",
    "sock_recv",
    "sock_recv_into",
    "sock_recvfrom",
    "sock_sendall",
    "sock_sendfile",
    "sock_sendto",
    "start_tls",
    "subprocess_exec",
    "subprocess_shell",
)


class SimulatedLoop(asyncio.AbstractEventLoop):
    """Runs callbacks in seeded random order, one after the other; when none is ready, its time jumps to the next timer.

    Time is counted in whole microseconds from 0, and stands still while anything is ready. There are no files, sockets, signals,
    processes and threads: ``run_in_executor`` (so ``asyncio.to_thread``, so the plain ``def`` steps of workflows) calls the function in the
    loop, in one turn, during which nothing else happens and no time passes; such a function must not wait for anything else in the
    simulation. Errors that nobody handled are kept in ``escaped``.

    What runs in the context of a `Cohort` can be frozen, thawed and dropped together.

    Attributes:
        escaped: Errors that reached the loop, in words.
        turns: How many callbacks it has run.
        max_turns: Callbacks after which it gives up, so that endless work ends with an error.
    """

    def __init__(self, random: Random, *, max_turns: int = 2_000_000) -> None:
        """Make a loop.

        Args:
            random: Chooses what runs next; used by nobody else.
            max_turns: Callbacks after which it gives up.
        """
        self.escaped: list[str] = []
        self.turns = 0
        self._random = random
        self.max_turns = max_turns
        self._now_us = 0
        self._ready: list[Ready] = []
        self._timers: list[tuple[int, int, asyncio.TimerHandle, Cohort | None]] = []
        self._order = itertools.count()
        self._generators: WeakSet[AsyncGenerator[Any, Any]] = WeakSet()
        self._is_running = False
        self._is_closed = False

    # Time

    @property
    def now_us(self) -> int:
        """The virtual time in microseconds."""
        return self._now_us

    def time(self) -> float:
        """The virtual time in seconds."""
        return self._now_us / 1e6

    # Running

    def run_until_complete(self, future: Generator[Any, None, T] | Coroutine[Any, Any, T] | Any) -> T:
        """Run until a coroutine or future has finished, and give its result.

        Raises:
            SimulationError: Nothing is ready and no timer is set, so it would wait for ever; or it took more than ``max_turns``.
        """
        main: asyncio.Future[T] = future if asyncio.isfuture(future) else self.create_task(future)
        self._run(main.done)
        return main.result()

    def refuse_to_nest(self) -> None:
        """Raise `SimulationError` inside a running event loop."""
        if asyncio._get_running_loop() is not None:
            msg = "a simulation runs in an event loop of its own: call it from a plain `def` test, not from an `async def`"
            raise SimulationError(msg)

    def _run(self, is_over: Callable[[], bool]) -> None:
        self.refuse_to_nest()
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=self._generators.add, finalizer=self._finalize)
        asyncio._set_running_loop(self)
        self._is_running = True
        try:
            while not is_over():
                self._turn()
        finally:
            self._is_running = False
            asyncio._set_running_loop(None)
            sys.set_asyncgen_hooks(*hooks)

    def _turn(self) -> None:
        """Run one callback, chosen by chance among those that are ready."""
        self.turns += 1
        if self.turns > self.max_turns:
            msg = f"no end after {self.max_turns:,} turns of the event loop, at {self.time():.3f} s of virtual time"
            raise SimulationError(msg)
        ready = self._ready
        if not ready:
            self._jump()
        chosen = int(self._random.random() * len(ready))
        handle, cohort = ready[chosen]
        ready[chosen] = ready[-1]
        ready.pop()
        if handle.cancelled():
            return
        if cohort is not None and cohort.condition is not Condition.RUNNING:
            cohort.held_back.append(handle)
            return
        handle._run()

    def _jump(self) -> None:
        """Let time pass until the next timer."""
        timers = self._timers
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        if not timers:
            msg = f"everybody waits, and no timer is set: nothing would ever happen again (at {self.time():.3f} s)"
            raise SimulationError(msg)
        self._now_us = timers[0][0]
        while timers and timers[0][0] <= self._now_us:
            _, _, handle, cohort = heapq.heappop(timers)
            if not handle.cancelled():
                self._ready.append((handle, cohort))

    def is_running(self) -> bool:
        """Whether it runs now."""
        return self._is_running

    def is_closed(self) -> bool:
        """Whether it was closed."""
        return self._is_closed

    def close(self) -> None:
        """Forget everything."""
        self._ready.clear()
        self._timers.clear()
        self._is_closed = True

    # Cohorts

    def freeze(self, cohort: Cohort) -> None:
        """Let nothing of a cohort run until `thaw`."""
        if cohort.condition is Condition.RUNNING:
            cohort.condition = Condition.FROZEN

    def thaw(self, cohort: Cohort) -> None:
        """Let a frozen cohort go on with what became ready meanwhile."""
        if cohort.condition is Condition.FROZEN:
            cohort.condition = Condition.RUNNING
            self._ready.extend((handle, cohort) for handle in cohort.held_back)
            cohort.held_back.clear()

    def drop(self, cohort: Cohort) -> None:
        """Let nothing of a cohort run any more: no ``except``, no ``finally``, until `bury`."""
        cohort.condition = Condition.DEAD

    def bury(self, cohort: Cohort, *, max_turns: int = 100_000) -> None:
        """Let the tasks of a cohort end by cancellation, so that nothing of them is left in memory.

        Only for the end of a simulation: here their ``finally`` does run. What has not ended after ``max_turns`` is left as it is.
        """
        cohort.condition = Condition.RUNNING
        self._ready.extend((handle, cohort) for handle in cohort.held_back)
        cohort.held_back.clear()
        for task in tuple(cohort.tasks):
            task.cancel()
        self.max_turns = self.turns + max_turns
        with contextlib.suppress(SimulationError):
            self._run(lambda: not cohort.tasks)

    # Scheduling

    def call_soon(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Run a callback in one of the next turns."""
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append((handle, _cohort_of(context)))
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """The same: there are no other threads."""
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self, delay: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run a callback after some seconds."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run a callback at a virtual time."""
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        due_us = _NEVER_US if when * 1e6 >= _NEVER_US else math.ceil(when * 1e6 - 1e-3)
        if due_us <= self._now_us:
            self._ready.append((handle, _cohort_of(context)))
        elif due_us < _NEVER_US:
            heapq.heappush(self._timers, (due_us, next(self._order), handle, _cohort_of(context)))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """A cancelled timer is skipped when its time has come."""

    # Tasks and futures

    def create_future(self) -> asyncio.Future[Any]:
        """A future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
        **options: Any,
    ) -> asyncio.Task[T]:
        """A task; it belongs to the cohort of its context."""
        task: asyncio.Task[T] = asyncio.Task(coro, loop=self, name=name, context=context, **options)
        cohort = _cohort_of(context)
        if cohort is not None:
            tasks = cohort.tasks
            tasks[task] = None
            task.add_done_callback(lambda done: tasks.pop(done, None))
        return task

    def run_in_executor(self, executor: Any, func: Callable[[Unpack[Ts]], T], *args: *Ts) -> asyncio.Future[T]:
        """Call a function in one turn of the loop; there are no threads."""
        future: asyncio.Future[T] = self.create_future()
        self.call_soon(_settle, future, func, args)
        return future

    async def shutdown_asyncgens(self) -> None:
        """Close the asynchronous generators that are still open."""
        for generator in list(self._generators):
            await generator.aclose()

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """There is none."""

    def _finalize(self, generator: AsyncGenerator[Any, Any]) -> None:
        if not self._is_closed:
            self.call_soon(self.create_task, generator.aclose(), context=Context())

    # Errors

    def get_debug(self) -> bool:
        """Never: debug mode measures real time."""
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep an error that nobody handled."""
        error = context.get("exception")
        self.escaped.append(f"{context.get('message', 'an error escaped')}: {error!r}")


def _cohort_of(context: Context | None) -> Cohort | None:
    return CURRENT_COHORT.get() if context is None else context.get(CURRENT_COHORT)


def _settle(future: asyncio.Future[Any], func: Callable[..., Any], args: tuple[Any, ...]) -> None:
    if future.cancelled():
        return
    try:
        result = func(*args)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 - handed on to whoever waits
        future.set_exception(error)
    else:
        future.set_result(result)


def _refusal(name: str) -> Callable[..., NoReturn]:
    def refuse(*_args: object, **_kwargs: object) -> NoReturn:
        msg = f"a simulation has no files, sockets, signals and processes: replace what calls the event loop's {name!r}"
        raise SimulationError(msg)

    return refuse


for _name in _REAL_IO:
    setattr(SimulatedLoop, _name, _refusal(_name))
