"""What the figures were measured on, and how much memory that took."""

from __future__ import annotations

import asyncio
import os
import platform
import resource
import sys
from pathlib import Path

__all__ = ["busy_cores", "describe_machine", "peak_memory_mib"]


def describe_machine() -> str:
    """Processor, cores, memory, system and Python, in one line."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores of {_processor()}, {memory_gib:.0f} GiB, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    )


async def busy_cores(seconds: float) -> float | None:
    """How many cores the machine keeps busy while this process waits; None where the system does not tell."""
    before = _processor_time()
    await asyncio.sleep(seconds)
    after = _processor_time()
    if before is None or after is None:
        return None
    busy, all_of_it = after[0] - before[0], after[1] - before[1]
    return busy / max(all_of_it, 1) * (os.cpu_count() or 1)


def peak_memory_mib(pid: int | None = None) -> float | None:
    """Most memory that a process has held so far, in MiB; None where the system does not tell.

    Args:
        pid: The process; None is this one.
    """
    try:
        status = Path(f"/proc/{pid or 'self'}/status").read_text(encoding="ascii")
    except OSError:
        if pid is not None:
            return None
        unit = 1 if sys.platform == "darwin" else 1024
        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20, 1)
    kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return round(int(kib) / 1024, 1)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _processor_time() -> tuple[int, int] | None:
    """What all cores have been busy with so far, and that with their idleness, in ticks."""
    try:
        with Path("/proc/stat").open(encoding="ascii") as stat:
            ticks = [int(word) for word in stat.readline().split()[1:9]]
    except OSError:
        return None
    idle = ticks[3] + ticks[4]
    return sum(ticks) - idle, sum(ticks)
