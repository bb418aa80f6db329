"""Runs the scripts of the peers, each in an environment that uv makes for it on demand."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
import tempfile
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import msgspec

from workflows_benchmarks.effort import Effort
from workflows_benchmarks.places import Place
from workflows_benchmarks.report import Report
from workflows_testing.servers import redis

__all__ = ["add_peers", "has_peers"]

_PACKAGE: Final = Path(__file__).parents[1]
_PATIENCE_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Peer:
    """A library that can do the same work.

    Attributes:
        name: Name of its package.
        script: File beside this one.
        stores: Beside which of our stores it is measured, by benchmark.
        needs_redis: It works on a Redis-protocol server instead, which is as durable.
    """

    name: str
    script: str
    stores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    needs_redis: bool = False


_PEERS: Final = (
    Peer(
        "dbos",
        "dbos_peer.py",
        {"linear-5": ("sqlite", "postgresql"), "fan-out-20": ("sqlite", "postgresql")},
    ),
    Peer("langgraph", "langgraph_peer.py", {"linear-5": ("sqlite", "postgresql")}),
    Peer("litestar-workflows", "litestar_workflows_peer.py", {"linear-5": ("memory", "sqlite", "postgresql")}),
    Peer("celery", "celery_peer.py", {"linear-5": ("postgresql",)}, needs_redis=True),
)


def has_peers(benchmark: str) -> bool:
    """Whether other libraries can be measured at it."""
    return any(benchmark in peer.stores for peer in _PEERS)


async def add_peers(report: Report, place: Place, effort: Effort, clients: tuple[int, ...]) -> Report:
    """Measure the peers on the server of a report, each in a database of its own, and set them beside our figures.

    A peer that cannot be run is named in the notes.
    """
    peers: dict[str, Mapping[str, Any]] = {}
    figures: dict[str, float | int] = dict(report.figures)
    notes = list(report.notes)
    if place.raw is not None:
        await place.raw.rest()
    for peer in _PEERS:
        if place.store not in peer.stores.get(report.name, ()):
            continue
        try:
            found = await _run(peer, report.name, place, effort, clients)
        except PeerError as error:
            notes.append(f"{peer.name} was not measured: {error}")
            continue
        peers[peer.name] = found
        notes.append(f"{peer.name} {found['version']}: {found['note']}")
        key = peer.name.replace("-", "_")
        figures[f"{key}_workflows_per_s"] = found["workflows_per_s"]
        figures[f"ratio_to_{key}"] = round(figures["workflows_per_s"] / found["workflows_per_s"], 2)
        figures[f"p50_ratio_to_{key}"] = round(figures["p50_ms_at_1"] / found["p50_ms_at_1"], 3)
    return replace(report, figures=figures, peers=peers, notes=tuple(notes))


class PeerError(Exception):
    """A peer could not be measured; says why."""


async def _run(peer: Peer, benchmark: str, place: Place, effort: Effort, clients: tuple[int, ...]) -> Mapping[str, Any]:
    uv = shutil.which("uv")
    if uv is None:
        raise PeerError("uv is not on the PATH")
    async with _url(peer, place) as url:
        with tempfile.TemporaryDirectory(prefix="workflows-bench-peers-") as folder:
            # The script sees this copy and the packages that it names, and none of ours.
            script = _copy(Path(folder)) / peer.script
            arguments = [benchmark, url, "--seconds", effort.seconds, "--rounds", effort.rounds, "--clients", *clients]
            process = await asyncio.create_subprocess_exec(
                *(uv, "run", "--quiet", "--no-project", "--python", sys.executable, "--script", str(script)),
                *map(str, arguments),
                cwd=folder,
                env=_environment(folder),
                stdout=PIPE,
                stderr=PIPE,
            )
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    printed, complaints = await process.communicate()
            except TimeoutError as error:
                raise PeerError(f"it was not ready after {_PATIENCE_S:.0f} s") from error
            finally:
                if process.returncode is None:
                    process.terminate()
                    await process.wait()
    if process.returncode != 0:
        said = complaints.decode(errors="replace")
        sys.stderr.write(said)
        raise PeerError(_cause(said) or f"it ended with {process.returncode}")
    found: dict[str, Any] = msgspec.json.decode(printed.strip().splitlines()[-1])
    return found


def _cause(complaints: str) -> str:
    """The line of a traceback that names the error, else the last line."""
    lines = complaints.strip().splitlines() or [""]
    return next((line for line in reversed(lines) if re.match(r"[\w.]+(Error|Exception)\b", line)), lines[-1])


@asynccontextmanager
async def _url(peer: Peer, place: Place) -> AsyncGenerator[str]:
    if peer.needs_redis:
        with redis(durable=True) as server:
            yield server.url
    else:
        async with place.database(empty=True) as url:
            yield url if url is not None else "memory"


def _copy(folder: Path) -> Path:
    package = folder / _PACKAGE.name
    package.mkdir()
    shutil.copy(_PACKAGE / "__init__.py", package)
    shutil.copytree(_PACKAGE / "peers", package / "peers", ignore=shutil.ignore_patterns("__pycache__", "running.py"))
    return package / "peers"


def _environment(folder: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONHOME"}}
    return {**kept, "PYTHONPATH": folder}
