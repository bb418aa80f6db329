"""Which work items have to wait although they are due: for a slot, or for their rate."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from workflows_core.adapters.memory.rows import InstanceRow, WorkRow
from workflows_core.adapters.memory.times import LAST_MOMENT, moment_after
from workflows_core.domain.transition import Rate

__all__ = ["Admissions", "Rates", "SlotsInUse"]


class SlotsInUse:
    """The slots that are taken at one moment: those of the work items that are held.

    Args:
        held: All work items that were held when somebody last looked.
        now: That moment.
    """

    __slots__ = ("_until",)

    def __init__(self, held: Iterable[WorkRow], now: datetime) -> None:
        self._until: dict[str, list[datetime]] = {}
        for row in held:
            if row.item.slot is not None and row.lease_until is not None and row.lease_until > now:
                self._until.setdefault(row.item.slot.key, []).append(row.lease_until)

    def free_at(self, row: WorkRow) -> datetime | None:
        """When a slot is free for a work item at the latest; None for now."""
        slot = row.item.slot
        taken = self._until.get(slot.key, []) if slot is not None else []
        return None if slot is None or len(taken) < slot.limit else min(taken)

    def take(self, row: WorkRow) -> None:
        """Count the slot of a work item that is being taken."""
        if row.item.slot is not None:
            self._until.setdefault(row.item.slot.key, []).append(LAST_MOMENT)


class Admissions:
    """Which instances have a slot of their own, until they are over."""

    __slots__ = ("_admitted",)

    def __init__(self) -> None:
        self._admitted: dict[str, set[InstanceRow]] = {}

    def has(self, row: WorkRow) -> bool:
        """Whether the instance of a work item has the slot that it needs."""
        admission = row.item.admission
        return admission is not None and row.instance in self._admitted.get(admission.key, ())

    def may_enter(self, row: WorkRow) -> bool:
        """Whether the instance of a work item has the slot that it needs, or can have one."""
        admission = row.item.admission
        if admission is None or self.has(row):
            return True
        admitted = self._admitted.get(admission.key, ())
        return sum(not instance.state.status.is_final for instance in admitted) < admission.limit

    def take(self, row: WorkRow) -> None:
        """Give the instance of a work item the slot that it needs; take it from those that are over."""
        if row.item.admission is not None:
            admitted = self._admitted.get(row.item.admission.key, set())
            live = {instance for instance in admitted if not instance.state.status.is_final}
            self._admitted[row.item.admission.key] = live | {row.instance}


class Rates:
    """When the next work item of each rate would be due if they came evenly: the generic cell rate algorithm."""

    __slots__ = ("_expected",)

    def __init__(self) -> None:
        self._expected: dict[str, datetime] = {}

    def allowed_at(self, rate: Rate | None) -> datetime | None:
        """From when on a work item of a rate may be taken; None for any time."""
        expected = self._expected.get(rate.key) if rate is not None else None
        if rate is None or expected is None:
            return None
        return expected - timedelta(seconds=rate.per_s - rate.interval_s)

    def take(self, rate: Rate | None, now: datetime) -> None:
        """Count a work item that is being taken; forget rates that nobody used of late."""
        if rate is None:
            return
        if len(self._expected) > 1000 and rate.key not in self._expected:
            self._expected = {key: moment for key, moment in self._expected.items() if moment > now}
        self._expected[rate.key] = moment_after(max(self._expected.get(rate.key, now), now), rate.interval_s)
