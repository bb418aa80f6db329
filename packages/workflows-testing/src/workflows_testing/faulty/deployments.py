"""Faults of deployments: executors and hosts that make the mistakes which task queues invite."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from workflows_core.adapters.broker_executor import Hint
from workflows_core.adapters.in_process_executor import NullExecutor
from workflows_core.adapters.memory import InMemoryWorkflowStore, MemoryState
from workflows_core.adapters.memory.throttles import Rates
from workflows_core.adapters.system_clock import SystemClock
from workflows_core.domain.state import ROOT
from workflows_core.ports.clock import Clock
from workflows_core.ports.executor import StepExecutor, WorkRef
from workflows_core.ports.store import Claim, ClaimRequest, WorkflowStore, Write, WriteResult
from workflows_testing.builders import with_work
from workflows_testing.conformance.deployment_deliveries import DeploymentDeliveries
from workflows_testing.conformance.deployment_limits import DeploymentLimits
from workflows_testing.conformance.deployment_mishaps import DeploymentMishaps
from workflows_testing.conformance.deployment_workers import DeploymentWorkers
from workflows_testing.deployments import Effect, Effects, WorkerOptions, WorkerProcess
from workflows_testing.faults.relay import StoreCall
from workflows_testing.faulty.fault import Fault
from workflows_testing.faulty.in_process import (
    InProcessDeployment,
    ListExecutor,
    MemoryBroker,
    TaskWorker,
    WorkerStore,
)

__all__ = ["FAULTS", "SOUND"]


class NeverTells(InProcessDeployment):
    def make_executor(self) -> StepExecutor:
        return NullExecutor()


class HurriedClock(Clock):
    """Three times as fast as that of the machine."""

    def __init__(self) -> None:
        self.began = SystemClock().now()

    def now(self) -> datetime:
        return self.began + 3 * (SystemClock().now() - self.began)


class Hurries(InProcessDeployment):
    def __init__(self) -> None:
        super().__init__(HurriedClock())


class RunsTwice(InProcessDeployment):
    """What its steps do would look like this, were each of them run by two at once."""

    def __init__(self) -> None:
        super().__init__()
        self.effects = DoubledEffects(self.effects.path)


class DoubledEffects(Effects):
    def all(self) -> list[Effect]:
        return [effect for effect in super().all() for _ in range(2)]


class ShortensPayloads(InProcessDeployment):
    def worker_store(self) -> WorkerStore:
        return ShorteningStore(self.make_store())


class ShorteningStore(WorkerStore):
    """Loses a microsecond."""

    async def carry(self, call: StoreCall) -> Any:
        answer = await super().carry(call)
        if call.method == "claim":
            return [_shortened(claim) for claim in answer]
        return answer


def _shortened(claim: Claim) -> Claim:
    scope = claim.state.scopes[ROOT]
    assert scope.data is not None
    data = {key: raw.replace(b"123457", b"123456") for key, raw in scope.data.items()}
    scopes = {**claim.state.scopes, ROOT: replace(scope, data=data)}
    return replace(claim, state=replace(claim.state, scopes=scopes))


class GivesUp(InProcessDeployment):
    def worker_store(self) -> WorkerStore:
        return TiringStore(self.make_store())


class TiringStore(WorkerStore):
    """Gives no more than thirty-five pieces of work."""

    given = 0

    async def carry(self, call: StoreCall) -> Any:
        answer = await super().carry(call)
        if call.method == "claim":
            self.given += len(answer)
            self.is_cut = self.given > 35
        return answer


class HoldsForever(InProcessDeployment):
    def worker_store(self) -> WorkerStore:
        return GreedyStore(self.make_store())


class GreedyStore(WorkerStore):
    """Claims for an hour."""

    async def carry(self, call: StoreCall) -> Any:
        if call.method == "claim":
            return await call.store.claim(replace(call.arguments[0], lease_s=3600.0))
        return await super().carry(call)


class CutsOff(InProcessDeployment):
    async def start_worker(self, options: WorkerOptions) -> WorkerProcess:
        return ImpatientWorker(self, options)


class ImpatientWorker(TaskWorker):
    """Does not wait for its steps at a stop."""

    async def stop(self) -> int | None:
        await self.kill()
        return 0


class NeverEnds(InProcessDeployment):
    async def start_worker(self, options: WorkerOptions) -> WorkerProcess:
        return DeafWorker(self, options)


class DeafWorker(TaskWorker):
    """Does not hear that it is to end."""

    async def stop(self) -> int | None:
        return None


class RunsWhatItLacks(InProcessDeployment):
    async def start_worker(self, options: WorkerOptions) -> WorkerProcess:
        return TaskWorker(self, replace(options, lacks_second=False))


class ServesAll(InProcessDeployment):
    async def start_worker(self, options: WorkerOptions) -> WorkerProcess:
        return TaskWorker(self, replace(options, queues=None))


class KnowsNoUrgency(InProcessDeployment):
    def make_store(self) -> WorkflowStore:
        return LevelStore(self.memory)


class LevelStore(InMemoryWorkflowStore):
    """All work has the same priority."""

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        return await super().commit([with_work(write, priority=0) for write in writes])


class KnowsNoLimits(InProcessDeployment):
    def make_store(self) -> WorkflowStore:
        return LimitlessStore(self.memory)


class LimitlessStore(InMemoryWorkflowStore):
    """No work waits for a slot or a rate."""

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        return await super().commit([with_work(write, slot=None, rate=None) for write in writes])


class PacesAlone(InProcessDeployment):
    def worker_store(self) -> WorkerStore:
        return PacingStore(self.make_store(), self.memory)


class PacingStore(WorkerStore):
    """Counts only what its own process has begun."""

    def __init__(self, store: WorkflowStore, memory: MemoryState) -> None:
        super().__init__(store)
        self.backlog = memory.backlog
        self.rates = Rates()

    async def carry(self, call: StoreCall) -> Any:
        if call.method in {"claim", "next_due"}:
            self.backlog._rates = self.rates
        return await super().carry(call)


class KnowsNoTurns(InProcessDeployment):
    def make_store(self) -> WorkflowStore:
        return CrowdedStore(self.memory)


class CrowdedStore(InMemoryWorkflowStore):
    """Takes the work of all tenants for that of one, so the oldest comes first."""

    async def claim(self, request: ClaimRequest) -> list[Claim]:
        if request.items is None:
            works = [work for instance in self.memory.instances.values() for work in instance.work.values()]
            moments = sorted((work.due, work.ref) for work in works if work.due is not None)
            for _, ref in moments:
                if claims := await super().claim(replace(request, items=(ref,))):
                    return claims
        return await super().claim(request)


class ForgetsItsQueues(InProcessDeployment):
    """Delivers nothing any more once everything was forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self.broker = ForgetfulBroker()


class ForgetfulBroker(MemoryBroker):
    async def empty(self) -> None:
        self.messages = deque(maxlen=0)


class NeedsHints(InProcessDeployment):
    def worker_store(self) -> WorkerStore:
        return TimidStore(self.make_store())


class TimidStore(WorkerStore):
    """Shows only what somebody was told of."""

    async def carry(self, call: StoreCall) -> Any:
        request = call.arguments[0] if call.arguments else None
        if isinstance(request, ClaimRequest) and request.queues is None:
            return []
        return None if call.method == "next_due" else await super().carry(call)


class BreaksByRepetition(InProcessDeployment):
    async def start_worker(self, options: WorkerOptions) -> WorkerProcess:
        return FragileWorker(self, options)


class FragileWorker(TaskWorker):
    """Dies of a message that it knows, or that is older than one that it knows."""

    def __init__(self, deployment: InProcessDeployment, options: WorkerOptions) -> None:
        super().__init__(deployment, options)
        self.known: set[WorkRef] = set()

    async def take(self, hint: Hint) -> None:
        if self.is_odd(hint.ref):
            asyncio.get_running_loop().call_soon(asyncio.ensure_future, self.kill())
        self.known.add(hint.ref)
        await super().take(hint)

    def is_odd(self, ref: WorkRef) -> bool:
        """Whether it dies of it."""
        return ref in self.known


class BreaksByDisorder(InProcessDeployment):
    async def start_worker(self, options: WorkerOptions) -> WorkerProcess:
        return PedanticWorker(self, options)


class PedanticWorker(FragileWorker):
    """Dies of a message that comes after a younger one."""

    def is_odd(self, ref: WorkRef) -> bool:
        return any(known.instance_id > ref.instance_id for known in self.known)


class WaitsForItsBroker(InProcessDeployment):
    def make_executor(self) -> StepExecutor:
        return WaitingExecutor(self.broker)


class WaitingExecutor(ListExecutor):
    """Does not return before the broker has the message."""

    async def publish(self, items: Sequence[WorkRef], *, queue: str, priority: int = 0) -> None:
        while not self.broker.is_up:  # noqa: ASYNC110 - of another object
            await asyncio.sleep(0.01)
        await super().publish(items, queue=queue, priority=priority)


class EndsWithItsBroker(InProcessDeployment):
    async def start_worker(self, options: WorkerOptions) -> WorkerProcess:
        return DependentWorker(self, options)


class DependentWorker(TaskWorker):
    """Dies with its broker, and is not started again."""

    async def deliver(self) -> None:
        watching = asyncio.create_task(self.watch())
        try:
            await super().deliver()
        finally:
            watching.cancel()

    async def watch(self) -> None:
        """Look after the broker."""
        while self.deployment.broker.is_up:  # noqa: ASYNC110 - of another object
            await asyncio.sleep(0.01)
        asyncio.get_running_loop().call_soon(asyncio.ensure_future, self.kill())


class BeginsAnewWithItsBroker(InProcessDeployment):
    async def start_worker(self, options: WorkerOptions) -> WorkerProcess:
        return RestartedWorker(self, options)


class RestartedWorker(DependentWorker):
    """Dies with its broker, and is started again."""

    async def keep_up(self) -> None:
        """Give the process another life."""
        self.__init__(self.deployment, self.options)  # type: ignore[misc]


def _fixtures(make: Callable[[], InProcessDeployment], _clock: Clock) -> Mapping[str, Any]:
    return {"deployment": make()}


def _fault(make: Callable[[], InProcessDeployment], name: str, area: type) -> Fault:
    return Fault(name, (area,), partial(_fixtures, make), crashes=True)


SOUND: Final = Fault("is sound", (), partial(_fixtures, InProcessDeployment))

FAULTS: Final[tuple[Fault, ...]] = (
    _fault(NeverTells, "never tells a worker", DeploymentDeliveries),
    _fault(Hurries, "is early", DeploymentDeliveries),
    _fault(RunsTwice, "runs every step twice at once", DeploymentDeliveries),
    _fault(ShortensPayloads, "changes the payload", DeploymentDeliveries),
    _fault(GivesUp, "gives up when there is much work", DeploymentDeliveries),
    _fault(HoldsForever, "holds the work of the dead", DeploymentWorkers),
    _fault(CutsOff, "cuts off steps at a stop", DeploymentWorkers),
    _fault(NeverEnds, "does not end", DeploymentWorkers),
    _fault(RunsTwice, "runs every step twice at once", DeploymentWorkers),
    _fault(KnowsNoTurns, "knows no turns of tenants", DeploymentWorkers),
    _fault(RunsWhatItLacks, "runs code that it does not have", DeploymentWorkers),
    _fault(ServesAll, "serves queues that are not its own", DeploymentWorkers),
    _fault(KnowsNoUrgency, "knows no urgency", DeploymentWorkers),
    _fault(KnowsNoLimits, "knows no limits", DeploymentLimits),
    _fault(PacesAlone, "counts rates in each process by itself", DeploymentLimits),
    _fault(NeedsHints, "needs every hint", DeploymentMishaps),
    _fault(BreaksByRepetition, "breaks by a hint that comes twice", DeploymentMishaps),
    _fault(BreaksByDisorder, "breaks by hints in another order", DeploymentMishaps),
    _fault(ForgetsItsQueues, "forgets its queues", DeploymentMishaps),
    _fault(WaitsForItsBroker, "waits for its broker", DeploymentMishaps),
    _fault(EndsWithItsBroker, "ends with its broker", DeploymentMishaps),
    _fault(BeginsAnewWithItsBroker, "begins its steps anew with its broker", DeploymentMishaps),
)
"""Every fault of deployments."""
