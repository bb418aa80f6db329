"""Runs benchmarks: one here, several each in a process of its own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Sequence

from workflows_benchmarks.catalogue import BENCHMARKS
from workflows_benchmarks.effort import Effort
from workflows_benchmarks.peers.running import has_peers
from workflows_benchmarks.report import Report, read_reports

__all__ = ["run_benchmark", "run_in_processes"]


def run_benchmark(name: str, stores: Sequence[str], effort: Effort) -> list[Report]:
    """Run one benchmark on these stores, one after the other."""

    async def go() -> list[Report]:
        return [await BENCHMARKS[name].measure(store, effort) for store in stores]

    return asyncio.run(go())


def run_in_processes(store: str | None, options: Sequence[str], *, peers: bool) -> list[Report]:
    """Run all benchmarks, each on each of its stores in a fresh process, so that memory is told for it alone.

    Args:
        store: Only on this store; None is all of them.
        options: What else is said to each.
        peers: Measure other libraries where there are some.

    Raises:
        subprocess.CalledProcessError: One failed; what it said is above.
    """
    found: list[Report] = []
    for name, benchmark in BENCHMARKS.items():
        for each in benchmark.stores:
            if store not in (None, each):
                continue
            sys.stderr.write(f"{name} on {each} ...\n")
            command = [sys.executable, "-m", "workflows_benchmarks", name, "--store", each, "--json", *options]
            if peers and has_peers(name):
                command.append("--peers")
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
            found.extend(read_reports(done.stdout))
    return found
