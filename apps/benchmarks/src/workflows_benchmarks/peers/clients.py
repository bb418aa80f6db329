"""The load of a peer: so many clients, each of which runs one workflow after the other. Needs nothing but the standard library."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

__all__ = ["Options", "Way", "measure", "print_found", "read_options"]

_TRIAL_S = 0.5


@dataclass(frozen=True, slots=True)
class Options:
    """What is to be measured.

    Attributes:
        workload: ``linear-5`` or ``fan-out-20``.
        url: The database, without a driver; ``memory`` for none.
        seconds: Length of each measurement.
        rounds: How often each is repeated.
        clients: Numbers of clients.
    """

    workload: str
    url: str
    seconds: float
    rounds: int
    clients: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Way:
    """One way to run a workflow to its end with a library; of several the fastest counts.

    Attributes:
        name: What tells it from the others.
        run: Runs one, in the event loop; gets the number of the client.
        run_in_thread: The same for a way that blocks; each client has a thread.
    """

    name: str
    run: Callable[[int], Awaitable[object]] | None = None
    run_in_thread: Callable[[int], object] | None = None


def read_options() -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("workload")
    parser.add_argument("url")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 32])
    given = parser.parse_args()
    return Options(given.workload, given.url, given.seconds, given.rounds, tuple(given.clients))


async def measure(options: Options, ways: Sequence[Way]) -> dict[str, Any]:
    """Try each way at each number of clients, and measure the one that was the fastest there; medians over the rounds.

    A library that bears no more clients is measured with as many as it bears.
    """
    found: dict[str, Any] = {}
    rates: dict[int, float] = {}
    for way in ways:
        await _load(way, 1, min(options.seconds, _TRIAL_S))
    for clients in options.clients:
        try:
            way = await _fastest(ways, clients, min(options.seconds, _TRIAL_S))
            rounds = [await _load(way, clients, options.seconds) for _ in range(options.rounds)]
        except Exception as error:  # whatever the library raises
            if not rates:
                raise
            found["failed"] = f"{type(error).__name__} with {clients} clients"
            break
        rates[clients] = statistics.median(rate for rate, _ in rounds)
        found[f"workflows_per_s_at_{clients}"] = round(rates[clients], 1)
        found[f"way_at_{clients}"] = way.name
        if clients == 1:
            found["p50_ms_at_1"] = round(statistics.median(p50 for _, p50 in rounds), 3)
    return {"workflows_per_s": round(max(rates.values()), 1), **found}


def print_found(options: Options, package: str, found: dict[str, Any], note: str) -> None:
    """Print the one line of JSON."""
    if "failed" in found:
        note = f"{note}; {found['failed']}"
    facts = {"peer": package, "version": version(package), "workload": options.workload, "note": note}
    sys.stdout.write("\n" + json.dumps({**facts, **found, "peak_memory_mib": _peak_memory_mib()}) + "\n")
    sys.stdout.flush()


async def _fastest(ways: Sequence[Way], clients: int, seconds: float) -> Way:
    if len(ways) == 1:
        return ways[0]
    tried = [((await _load(way, clients, seconds))[0], number) for number, way in enumerate(ways)]
    return ways[max(tried)[1]]


async def _load(way: Way, clients: int, seconds: float) -> tuple[float, float]:
    """Workflows per second, and median milliseconds of one."""
    began = time.perf_counter()
    deadline = began + seconds
    if way.run_in_thread is not None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(clients) as threads:
            each = [
                loop.run_in_executor(threads, _client_in_thread, way.run_in_thread, n, deadline) for n in range(clients)
            ]
            times = await asyncio.gather(*each)
    else:
        assert way.run is not None
        times = await asyncio.gather(*(_client(way.run, number, deadline) for number in range(clients)))
    elapsed = time.perf_counter() - began
    all_times = [time_s for client in times for time_s in client]
    return len(all_times) / elapsed, statistics.median(all_times) * 1000


async def _client(run: Callable[[int], Awaitable[object]], number: int, deadline: float) -> list[float]:
    times: list[float] = []
    while (began := time.perf_counter()) < deadline or not times:
        await run(number)
        times.append(time.perf_counter() - began)
    return times


def _client_in_thread(run: Callable[[int], object], number: int, deadline: float) -> list[float]:
    times: list[float] = []
    while (began := time.perf_counter()) < deadline or not times:
        run(number)
        times.append(time.perf_counter() - began)
    return times


def _peak_memory_mib() -> float | None:
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return None
    return round(int(status.partition("VmHWM:")[2].split()[0]) / 1024, 1)
