"""A store whose calls go wrong as a plan says."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from workflows_core.errors import StoreUnavailableError
from workflows_core.ports.leases import Lease
from workflows_core.ports.store import Conflict, WorkflowStore, Write
from workflows_testing.faults.fault import Fault
from workflows_testing.faults.plan import FaultPlan
from workflows_testing.faults.relay import STORE_METHODS, StoreCall, StoreRelay

__all__ = ["AnswerConflict", "CommitThenFail", "FailBefore", "FaultyStore", "LoseLease", "Slow", "StoreFault"]


class StoreFault(Fault, ABC):
    """Something that goes wrong with one call of a store."""

    methods: ClassVar[frozenset[str]] = STORE_METHODS

    @abstractmethod
    async def befall(self, call: StoreCall) -> Any:
        """Answer the call instead of the store; ``call.perform`` makes it as it was meant."""


@dataclass(frozen=True)
class FailBefore(StoreFault):
    """The call does not reach the store: nothing is done, and `StoreUnavailableError` is raised."""

    async def befall(self, call: StoreCall) -> Any:
        reason = f"injected: {call.method!r} did not reach the store"
        raise StoreUnavailableError(reason)


@dataclass(frozen=True)
class CommitThenFail(StoreFault):
    """The call is done, and its answer is lost: `StoreUnavailableError` is raised.

    Of a commit this leaves the caller in doubt; a claim leaves work with a worker that knows nothing of it.
    """

    async def befall(self, call: StoreCall) -> Any:
        await call.perform()
        reason = f"injected: the answer to {call.method!r} was lost"
        raise StoreUnavailableError(reason)


@dataclass(frozen=True)
class Slow(StoreFault):
    """The call takes its time, by the event loop's clock.

    Attributes:
        before_s: Seconds until it reaches the store.
        after_s: Seconds until its answer comes.
    """

    before_s: float = 0.0
    after_s: float = 0.0

    async def befall(self, call: StoreCall) -> Any:
        await asyncio.sleep(self.before_s)
        answer = await call.perform()
        await asyncio.sleep(self.after_s)
        return answer


@dataclass(frozen=True)
class AnswerConflict(StoreFault):
    """Every transition is answered with `Conflict`, as if somebody else had been first; nothing is tried."""

    methods: ClassVar[frozenset[str]] = frozenset({"commit"})

    async def befall(self, call: StoreCall) -> Any:
        writes: Sequence[Write] = call.arguments[0]
        return [Conflict() for _ in writes]


@dataclass(frozen=True)
class LoseLease(StoreFault):
    """What the caller holds is taken away before the call, as if its lease had ended and others might claim it.

    A commit is then answered with `LeaseLost`, a renewal says that nothing is held any more.
    """

    methods: ClassVar[frozenset[str]] = frozenset({"commit", "renew"})

    async def befall(self, call: StoreCall) -> Any:
        if call.method == "renew":
            worker, lease_s = call.arguments
            await call.store.release(worker, sorted(await call.store.renew(worker, lease_s)))
            return set()
        writes: Sequence[Write] = call.arguments[0]
        for write in writes:
            for held in write.holds:
                await call.store.release(held.worker, [Lease(write.transition.state.id, held.number, held.fence)])
        return await call.perform()


class FaultyStore(StoreRelay):
    """Any store, with faults in the way of its calls."""

    def __init__(self, store: WorkflowStore, plan: FaultPlan) -> None:
        """Wrap a store.

        Args:
            store: The store, sound in itself.
            plan: Which calls go wrong; may be shared with other wrappers.
        """
        super().__init__(store)
        self.plan = plan

    async def carry(self, call: StoreCall) -> Any:
        """Make the call, unless the plan has a fault for it."""
        fault = self.plan.next(call.method, StoreFault)  # type: ignore[type-abstract]
        return await (call.perform() if fault is None else fault.befall(call))
