"""Faults of the clock of a store."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Final

from workflows_core.ports.clock import Clock
from workflows_testing.conformance.queries_history import HistoryRules
from workflows_testing.conformance.queries_instances import InstanceRules
from workflows_testing.conformance.queries_task_lists import TaskListRules
from workflows_testing.conformance.queries_tasks import TaskRules
from workflows_testing.conformance.store_claims import ClaimRules
from workflows_testing.conformance.store_commits import CommitRules
from workflows_testing.conformance.store_graphs import GraphRules
from workflows_testing.conformance.store_leases import LeaseRules
from workflows_testing.conformance.store_payloads import PayloadRules
from workflows_testing.faulty.fault import Fault, with_clock

__all__ = ["FAULTS"]


class CutClock(Clock):
    """Tells milliseconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> datetime:
        moment = self._clock.now()
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


class LocalClock(CutClock):
    """Tells the time of a zone, to the microsecond."""

    def now(self) -> datetime:
        return self._clock.now().astimezone(timezone(timedelta(hours=2)))


class StoppedClock(CutClock):
    """Tells the time at which it was made."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._moment = clock.now()

    def now(self) -> datetime:
        return self._moment


FAULTS: Final[tuple[Fault, ...]] = (
    with_clock(
        CutClock,
        "loses microseconds",
        CommitRules,
        ClaimRules,
        PayloadRules,
        GraphRules,
        InstanceRules,
        TaskRules,
        TaskListRules,
        HistoryRules,
    ),
    with_clock(LocalClock, "tells local times", PayloadRules),
    with_clock(StoppedClock, "has a clock that stands still", CommitRules, ClaimRules, LeaseRules, GraphRules),
)
