"""Deterministic simulation: workflows on several processes in virtual time, with crashes, freezes and faults, all decided by a seed.

Describe what happens in a `Scenario`; `crash_at_every_write` and `explore` run it hundreds of times, and `find_violations` says whether the
guarantees were kept. A `Simulation` is the world underneath, for tests that want to say themselves who is killed when. None of it needs
pytest; none of it waits, reads or writes anything real.
"""

from __future__ import annotations

from workflows_testing.simulation.client import Client
from workflows_testing.simulation.clock import VirtualClock
from workflows_testing.simulation.crashes import crash_at_every_write
from workflows_testing.simulation.effects import Effects
from workflows_testing.simulation.errors import SimulationError, SimulationFailure
from workflows_testing.simulation.exploration import Chaos, explore, run_with_chaos
from workflows_testing.simulation.ids import SeededIds
from workflows_testing.simulation.invariants import find_violations
from workflows_testing.simulation.loop import SimulatedLoop
from workflows_testing.simulation.process import Process
from workflows_testing.simulation.records import history
from workflows_testing.simulation.running import Run, run_scenario
from workflows_testing.simulation.scenario import Scenario
from workflows_testing.simulation.seeds import Seeds
from workflows_testing.simulation.simulation import Simulation
from workflows_testing.simulation.storage import Storage, in_memory
from workflows_testing.simulation.writes import CrashPoint, Moment

__all__ = [
    "Chaos",
    "Client",
    "CrashPoint",
    "Effects",
    "Moment",
    "Process",
    "Run",
    "Scenario",
    "SeededIds",
    "Seeds",
    "SimulatedLoop",
    "Simulation",
    "SimulationError",
    "SimulationFailure",
    "Storage",
    "VirtualClock",
    "crash_at_every_write",
    "explore",
    "find_violations",
    "history",
    "in_memory",
    "run_scenario",
    "run_with_chaos",
]
