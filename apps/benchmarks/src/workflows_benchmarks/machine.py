"""What the figures were measured on, and how much memory that took."""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
from pathlib import Path

__all__ = ["core_share", "describe_machine", "peak_memory_mib"]


def describe_machine() -> str:
    """Processor, cores, memory, system and Python, in one line."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores of {_processor()}, {memory_gib:.0f} GiB, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    )


def core_share(seconds: float = 0.05) -> float:
    """The part of a core that a process gets which never waits: 1 on a machine that has nothing else to do."""
    began, cpu_began = time.perf_counter(), time.process_time()
    while time.perf_counter() - began < seconds:
        pass
    return (time.process_time() - cpu_began) / (time.perf_counter() - began)


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
