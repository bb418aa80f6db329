"""The command ``workflows-bench``."""

from __future__ import annotations

import argparse
import asyncio

from workflows_benchmarks.linear import measure_linear, measure_memory_steps
from workflows_benchmarks.report import Report, render

__all__ = ["main"]

_NAMES = ("linear-5", "memory-steps")
_STORES = ("memory", "sqlite", "postgresql")


def main() -> None:
    """Run one benchmark and print its figures beside those of the raw database."""
    parser = argparse.ArgumentParser(prog="workflows-bench", description=__doc__)
    parser.add_argument("name", choices=_NAMES, help="what to measure")
    parser.add_argument("--store", choices=_STORES, help="only on this store; all by default")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each measurement (default: 3)")
    parser.add_argument("--rounds", type=int, default=5, help="repetitions; medians are reported (default: 5)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a Markdown table")
    options = parser.parse_args()
    if options.name == "memory-steps" and options.store not in (None, "memory"):
        parser.error("memory-steps runs on the memory store only")
    render(asyncio.run(_measure(options)), as_json=options.json)


async def _measure(options: argparse.Namespace) -> list[Report]:
    if options.name == "memory-steps":
        return [await measure_memory_steps(seconds=options.seconds, rounds=options.rounds)]
    stores = (options.store,) if options.store is not None else _STORES
    return [await measure_linear(store, seconds=options.seconds, rounds=options.rounds) for store in stores]
