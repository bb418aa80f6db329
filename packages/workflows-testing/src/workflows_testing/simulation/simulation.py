"""Several processes over one store, in one thread, in virtual time, decided by a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context
from dataclasses import replace
from random import Random
from types import TracebackType
from typing import Any, Final, Self, TypeAlias, TypeVar

from workflows_core import EngineSettings, EventBus, JsonCodec, SafeExpressions, WorkflowDefinition, WorkflowEngine
from workflows_core.authoring.registry import WorkflowRegistry
from workflows_core.ports.executor import StepExecutor
from workflows_core.ports.injection import StepInjector
from workflows_testing.faults import FaultPlan, FaultyExecutor, FaultyStore
from workflows_testing.simulation.clock import VirtualClock
from workflows_testing.simulation.cohorts import CURRENT_COHORT, Cohort
from workflows_testing.simulation.ids import SeededIds
from workflows_testing.simulation.loop import SimulatedLoop
from workflows_testing.simulation.network import Connection, Network, NetworkExecutor
from workflows_testing.simulation.process import Process, Program
from workflows_testing.simulation.storage import MakeStorage, in_memory
from workflows_testing.simulation.trace import Trace
from workflows_testing.simulation.writes import WriteCounter

__all__ = ["AnyWorkflow", "Simulation"]

T = TypeVar("T")
AnyWorkflow: TypeAlias = type[Any] | WorkflowDefinition

_DEFAULT_SETTINGS: Final = EngineSettings(lease_s=6.0, poll_s=2.0)
_SECRET: Final = b"a secret for simulated webhooks"


class Simulation:
    """A small world in which workflows run: its time is virtual, its order is chance, and the seed decides both.

    Processes share nothing but the store. The same seed, workflows and calls give the same history to the byte, in every run.
    The functions of the module ``random`` are seeded while it runs. It must be used from code that is not itself asynchronous, and closed, so best by ``with``.

    Attributes:
        seed: Decides everything that is left to chance.
        loop: The event loop; its ``time()`` is the virtual time in seconds.
        clock: The time as a port.
        store: The store itself, past all faults.
        queries: Its read side.
        processes: The processes as they are, by name; also those that were killed.
        faults: What goes wrong between processes and store; None for nothing.
        hint_faults: What goes wrong with hints; None for nothing.
        writes: The writes so far, and at which of them a process dies.
    """

    def __init__(
        self,
        seed: int,
        workflows: Sequence[AnyWorkflow],
        *,
        settings: EngineSettings | None = None,
        injector: StepInjector | None = None,
        storage: MakeStorage = in_memory,
        faults: FaultPlan | None = None,
        hint_faults: FaultPlan | None = None,
        restart_after_s: float = 1.0,
        latency_s: float = 0.005,
        max_turns: int = 2_000_000,
    ) -> None:
        """Make a world without processes.

        Args:
            seed: Decides everything that is left to chance.
            workflows: What each process has the code of.
            settings: Of each engine. ``max_seconds_in_a_row`` is measured in real time, and therefore set to infinity.
            injector: Provides what the code of steps wants beside its context, in all processes.
            storage: Makes the store.
            faults: What goes wrong between processes and store.
            hint_faults: What goes wrong with hints.
            restart_after_s: Seconds after which a process that died at a crash point of ``writes`` is started again.
            latency_s: Most seconds that a call of the store takes, one way.
            max_turns: Turns of the event loop after which the simulation is given up.
        """
        self.seed = seed
        self.loop = SimulatedLoop(Random(f"{seed}/order"), max_turns=max_turns)  # type: ignore[abstract]
        self.clock = VirtualClock(self.loop)
        kept = storage(self.clock)
        self.store, self.queries = kept.store, kept.queries
        self.processes: dict[str, Process] = {}
        self.faults = faults
        self.hint_faults = hint_faults
        self._workflows = tuple(workflows)
        self._injector = injector
        wanted = settings if settings is not None else _DEFAULT_SETTINGS
        self._settings = replace(wanted, max_seconds_in_a_row=float("inf"), secret=wanted.secret or _SECRET)
        self.writes = WriteCounter(
            lambda name: self.kill(name, restart_after_s=restart_after_s), late_s=1.5 * wanted.lease_s
        )
        self._ids = SeededIds(self.clock, Random(f"{seed}/ids"))
        self._network = Network(Random(f"{seed}/network"), latency_s=latency_s)
        self._reached = self.store if faults is None else FaultyStore(self.store, faults)
        self._chance = Random(f"{seed}/random").getstate()
        self._past: list[Process] = []
        self._main = Cohort("main")
        self._context = Context()
        self._context.run(CURRENT_COHORT.set, self._main)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def trace(self) -> Trace:
        """What was asked of the store."""
        return self._network.trace

    @property
    def settings(self) -> EngineSettings:
        """The settings of each engine."""
        return self._settings

    def run(self, main: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine that watches over the simulation; it belongs to no process, so it is never killed or frozen.

        Raises:
            SimulationError: It waits for something that will never happen, or goes on for ever.
        """
        self.loop.refuse_to_nest()
        before = random.getstate()
        random.setstate(self._chance)
        try:
            return self.loop.run_until_complete(self.loop.create_task(main(), context=self._context))
        finally:
            self._chance = random.getstate()
            random.setstate(before)

    def start(self, name: str, *, worker: bool = True, concurrency: int = 4, program: Program | None = None) -> Process:
        """Start a process.

        Args:
            name: A name that no living process has.
            worker: Whether it runs steps.
            concurrency: Most steps at once.
            program: What else runs in it, given the process. Its answer, or its error, is in ``finished``.

        Raises:
            ValueError: A process of that name lives.
        """
        earlier = self.processes.get(name)
        if earlier is not None and earlier.is_alive:
            msg = f"there is a process {name!r} already: kill it first, or take another name"
            raise ValueError(msg)
        return self._begin(name, concurrency if worker else 0, program)

    def kill(self, name: str, *, restart_after_s: float | None = None) -> None:
        """End a process at once, as SIGKILL does: no ``except``, no ``finally``, and the store takes nothing more from it.

        Args:
            name: The process.
            restart_after_s: Seconds after which another one of its kind is started; None for never.
        """
        process = self.processes[name]
        if process.is_alive:
            process.kill()
            self.trace.say(str(process), "is killed", self.loop.time())
            if restart_after_s is not None:
                self.loop.call_later(restart_after_s, self._revive, process, context=self._context)

    def freeze(self, name: str, seconds: float) -> None:
        """Stop a process for some seconds, as SIGSTOP does: it goes on later and does not know that time has passed."""
        process = self.processes[name]
        if process.is_alive:
            process.freeze(seconds, self._context)
            self.trace.say(str(process), f"is frozen for {seconds:.3f} s", self.loop.time())

    def restart(self, name: str) -> Process:
        """Start a process of the same kind and name, with the same program; a process that lives still is killed."""
        self.kill(name)
        return self._begin(name, self.processes[name].concurrency, self.processes[name].program)

    def close(self) -> None:
        """End all processes. The ``finally`` of their steps runs now, too late for the store."""
        if not self.loop.is_closed():
            for process in (*self._past, *self.processes.values()):
                process.bury()
            self.loop.bury(self._main)
            self.loop.bury(self._network.cohort)
            self.loop.close()

    def _revive(self, process: Process) -> None:
        if self.processes[process.name] is process:
            self.restart(process.name)

    def _begin(self, name: str, concurrency: int, program: Program | None) -> Process:
        earlier = self.processes.get(name)
        if earlier is not None:
            self._past.append(earlier)
        process = self.processes[name] = self._make(name, earlier, concurrency, program)
        self._network.attach(process)
        self.trace.say(str(process), "starts", self.loop.time())
        process.begin()
        return process

    def _make(self, name: str, earlier: Process | None, concurrency: int, program: Program | None) -> Process:
        registry = WorkflowRegistry()
        for workflow in self._workflows:
            registry.register(workflow)
        incarnation = 1 if earlier is None else earlier.incarnation + 1
        cohort = Cohort(f"{name}#{incarnation}")
        connection = Connection(self._reached, self._network, cohort.name, self.writes.deliver_for(name))
        hints: StepExecutor = NetworkExecutor(self._network)
        engine = WorkflowEngine(
            registry,
            store=connection,
            queries=self.queries,
            executor=hints if self.hint_faults is None else FaultyExecutor(hints, self.hint_faults),
            events=EventBus(),
            clock=self.clock,
            ids=self._ids,
            codec=JsonCodec(),
            conditions=SafeExpressions(),
            settings=self._settings,
            injector=self._injector,
        )
        return Process(
            name,
            incarnation,
            loop=self.loop,
            cohort=cohort,
            connection=connection,
            engine=engine,
            concurrency=concurrency,
            program=program,
            finished=None if earlier is None or earlier.finished.done() else earlier.finished,
        )
