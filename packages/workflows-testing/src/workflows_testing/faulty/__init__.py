"""Adapters that are broken on purpose: they prove that the conformance kits notice.

Each fault is the memory store, its queries or its clock with one mistake that real adapters make: a forgotten condition, a lost microsecond,
a rollback that leaves one part. `FAULTS` has all of them, each with the groups of rules that it is meant for; the tests of the kits
demand that every rule trips over one of them at least, and every one of them over a rule.
"""

from __future__ import annotations

from workflows_testing.faulty import (
    claims,
    clocks,
    commits,
    crashes,
    definitions,
    deployments,
    failures,
    fairness,
    fences,
    hints,
    history,
    injectors,
    instances,
    items,
    keepers,
    leases,
    limits,
    payloads,
    refusals,
    reopenings,
    small_ports,
    starts,
    states,
    tasks,
    throttles,
    transactions,
    unserved,
)
from workflows_testing.faulty.fault import Fault

__all__ = ["FAULTS", "Fault"]

FAULTS: tuple[Fault, ...] = (
    *starts.FAULTS,
    *commits.FAULTS,
    *refusals.FAULTS,
    *fences.FAULTS,
    *reopenings.FAULTS,
    *claims.FAULTS,
    *fairness.FAULTS,
    *leases.FAULTS,
    *limits.FAULTS,
    *crashes.FAULTS,
    *keepers.FAULTS,
    *items.FAULTS,
    *states.FAULTS,
    *payloads.FAULTS,
    *definitions.FAULTS,
    *instances.FAULTS,
    *tasks.FAULTS,
    *throttles.FAULTS,
    *history.FAULTS,
    *failures.FAULTS,
    *clocks.FAULTS,
    *small_ports.FAULTS,
    *hints.FAULTS,
    *injectors.FAULTS,
    *transactions.FAULTS,
    *unserved.FAULTS,
    *deployments.FAULTS,
)
"""Every fault."""
