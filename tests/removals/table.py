"""Every removal, guarantee by guarantee."""

from __future__ import annotations

from typing import Final

from tests.removals import decisions, effects, hints, leases, progress, takeovers, tenants, timers, transitions
from tests.removals.removal import Removal

__all__ = ["REMOVALS"]

REMOVALS: Final[tuple[Removal, ...]] = (
    *progress.REMOVALS,
    *transitions.REMOVALS,
    *effects.REMOVALS,
    *leases.REMOVALS,
    *decisions.REMOVALS,
    *timers.REMOVALS,
    *hints.REMOVALS,
    *takeovers.REMOVALS,
    *tenants.REMOVALS,
)
