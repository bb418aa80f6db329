"""Counts what processes write, so that a process can be killed at any of these moments."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from workflows_core.errors import StoreUnavailableError
from workflows_core.ports.store import Committed
from workflows_testing.faults.relay import StoreCall
from workflows_testing.simulation.network import Deliver

__all__ = ["CrashPoint", "Moment", "WriteCounter"]

_WRITES: Final = frozenset({"claim", "commit", "publish", "release", "renew"})


class Moment(Enum):
    """When a process dies."""

    BEFORE = "before it was done"
    AFTER = "after it was done, before the answer arrived"
    LATE = "while it was under way, to be done when the lease had ended"


@dataclass(frozen=True, slots=True)
class CrashPoint:
    """A moment at which a process dies.

    Attributes:
        write: Which write of the simulation, from 1.
        moment: Before or after it is done, or long before.
    """

    write: int
    moment: Moment

    def __str__(self) -> str:
        return f"at write {self.write}, {self.moment.value}"


class WriteCounter:
    """Counts calls that may write, those of all processes together, in the order in which the store does them.

    Attributes:
        crashes: When the process that writes is to die.
        crashed: The processes that died there, in order.
        changed: Numbers of the calls that changed something; a claim that found nothing is not among them.
    """

    def __init__(self, kill: Callable[[str], None], *, late_s: float) -> None:
        """Count from 1.

        Args:
            kill: Kills a process by its name.
            late_s: Seconds for which a write that outlives its process is under way.
        """
        self._late_s = late_s
        self.crashes: set[CrashPoint] = set()
        self.crashed: list[str] = []
        self.changed: list[int] = []
        self._kill = kill
        self._count = 0

    def deliver_for(self, process: str) -> Deliver:
        """What makes the calls of a process."""

        async def deliver(call: StoreCall) -> Any:
            return await (self._write(process, call) if call.method in _WRITES else call.perform())

        return deliver

    async def _write(self, process: str, call: StoreCall) -> Any:
        self._count += 1
        number = self._count
        if self._dies(process, number, Moment.BEFORE):
            reason = f"process {process} died before its {call.method!r} was done"
            raise StoreUnavailableError(reason)
        if self._dies(process, number, Moment.LATE):
            await asyncio.sleep(self._late_s)
        answer = await call.perform()
        if _has_changed(call, answer):
            self.changed.append(number)
        self._dies(process, number, Moment.AFTER)
        return answer

    def _dies(self, process: str, number: int, moment: Moment) -> bool:
        if not self.crashes or CrashPoint(number, moment) not in self.crashes:
            return False
        self.crashed.append(process)
        self._kill(process)
        return True


def _has_changed(call: StoreCall, answer: Any) -> bool:
    """Whether a call wrote something, as far as one can tell from its answer."""
    match call.method:
        case "commit":
            return any(isinstance(result, Committed) for result in answer)
        case "claim" | "renew":
            return bool(answer)
        case _:
            return True
