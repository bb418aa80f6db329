"""One simulated process: an engine, perhaps a worker, perhaps a program that runs in it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from typing import Any, Final, TypeAlias

from workflows_core import WorkflowEngine
from workflows_core.engine.worker import Worker
from workflows_core.errors import InfrastructureError
from workflows_testing.simulation.cohorts import CURRENT_COHORT, Cohort, Condition
from workflows_testing.simulation.loop import SimulatedLoop
from workflows_testing.simulation.network import Connection

__all__ = ["Process", "Program"]

Program: TypeAlias = Callable[["Process"], Awaitable[Any]]
"""What runs in a process beside its worker; begun anew when the process is started again."""

_RETRY_S: Final = 0.5


class Process:
    """A process of a simulation, from its start to its end. A restart makes another one of the same name.

    Attributes:
        name: Its name.
        incarnation: Which start of that name it is, from 1.
        engine: Its engine.
        concurrency: Most steps that its worker runs at once; 0 if it has none.
        worker: Its worker; None if it has none.
        program: What else runs in it.
        finished: Done with the answer of its program, or of that of a later process which is a restart of this one; never done without
            a program.
    """

    def __init__(
        self,
        name: str,
        incarnation: int,
        *,
        loop: SimulatedLoop,
        cohort: Cohort,
        connection: Connection,
        engine: WorkflowEngine,
        concurrency: int,
        program: Program | None,
        finished: asyncio.Future[Any] | None = None,
    ) -> None:
        """Wire a process; `Simulation.start` does this."""
        self.name = name
        self.incarnation = incarnation
        self.engine = engine
        self.concurrency = concurrency
        self.worker = _worker(engine, cohort.name, concurrency, loop) if concurrency else None
        self.program = program
        self.finished: asyncio.Future[Any] = loop.create_future() if finished is None else finished
        self._loop = loop
        self._cohort = cohort
        self._connection = connection
        self._frozen_until = 0.0

    def __str__(self) -> str:
        return self._cohort.name

    @property
    def is_alive(self) -> bool:
        """Whether it was not killed; a frozen process lives."""
        return self._cohort.condition is not Condition.DEAD

    @property
    def takes_hints(self) -> bool:
        """Whether it lives and has a worker."""
        return self.is_alive and self.worker is not None

    def take_hint(self) -> None:
        """Wake its worker."""
        if self.worker is not None:
            self.worker.wake()

    def begin(self) -> None:
        """Let it run."""
        context: Context = copy_context()
        context.run(CURRENT_COHORT.set, self._cohort)
        if self.worker is not None:
            self._watch(self._loop.create_task(self._work(self.worker), context=context))
        if self.program is not None:
            self._watch(self._loop.create_task(self._follow(self.program), context=context))

    def kill(self) -> None:
        """End it at once: none of its code runs any more, and the store takes nothing more from it."""
        self._loop.drop(self._cohort)
        self._connection.cut()

    def freeze(self, seconds: float, context: Context) -> None:
        """Let none of its code run for some seconds; then it goes on as if nothing had happened."""
        self._loop.freeze(self._cohort)
        self._frozen_until = max(self._frozen_until, self._loop.time() + seconds)
        self._loop.call_later(seconds, self._thaw, context=context)

    def bury(self) -> None:
        """Free what is left of it, at the end of the simulation."""
        self.kill()
        self._loop.bury(self._cohort)

    def _thaw(self) -> None:
        if self._loop.time() >= self._frozen_until:
            self._loop.thaw(self._cohort)

    async def _work(self, worker: Worker) -> None:
        while True:
            try:
                await self.engine.open()
                break
            except InfrastructureError:
                await asyncio.sleep(_RETRY_S)
        await worker.run()

    async def _follow(self, program: Program) -> None:
        answer = await program(self)
        if not self.finished.done():
            self.finished.set_result(answer)

    def _watch(self, task: asyncio.Task[None]) -> None:
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        if self.program is not None and not self.finished.done():
            self.finished.set_exception(error)
        else:
            self._loop.escaped.append(f"process {self} ended with {error!r}")


def _worker(engine: WorkflowEngine, name: str, concurrency: int, loop: SimulatedLoop) -> Worker:
    """A worker in virtual time, whose id does not depend on chance."""
    worker = Worker(engine, concurrency=concurrency, heartbeat_thread=False, clock=loop.time)
    worker.id = name
    return worker
