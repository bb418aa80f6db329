"""SQLite files that are locked by others, that stand on a full disk, and that eight processes use at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import NoReturn

import pytest
from tests.chaos.conftest import OpenWorld

DISK_BYTES = 6 * 1024 * 1024


def path_of(url: str) -> str:
    return url.partition("///")[2]


async def test_a_file_that_another_process_locks_for_seconds_is_waited_for(
    sqlite_url: str, open_world: OpenWorld, rounds: int
) -> None:
    world = open_world(sqlite_url)

    async def lock() -> None:
        other = sqlite3.connect(path_of(sqlite_url), isolation_level=None, timeout=30)
        for _ in range(rounds):
            await asyncio.sleep(random.uniform(0.1, 0.3))
            other.execute("BEGIN EXCLUSIVE")
            await asyncio.sleep(random.uniform(2, 3))  # longer than a lease
            other.execute("ROLLBACK")
        other.close()

    world.start_workers(2)
    await world.under_load(lock())


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    """A file system of a few megabytes, which takes root, or a `sudo` that asks for no password. In CI nobody may do without."""
    place = tmp_path / "small"
    place.mkdir()
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if root and shutil.which("sudo") is None:
        do_without("there is no sudo")
    mount = [*root, "mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(place)]
    mounted = subprocess.run(mount, check=False, capture_output=True, text=True)
    if mounted.returncode != 0:
        do_without(mounted.stderr.strip())
    try:
        yield place
    finally:
        subprocess.run([*root, "umount", "--lazy", place], check=True)


def do_without(reason: str) -> NoReturn:
    """Skip the test; where ``CI`` is set, fail."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no file system can be mounted here: {reason}")


async def test_a_disk_that_is_full_for_a_while_loses_nothing(
    small_disk: Path, sqlite_template: bytes, open_world: OpenWorld
) -> None:
    (small_disk / "workflows.db").write_bytes(sqlite_template)
    world = open_world(f"sqlite+aiosqlite:///{small_disk / 'workflows.db'}")
    ballast = small_disk / "ballast"

    async def fill() -> None:
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(os.urandom(4096))
        await asyncio.sleep(2)
        ballast.unlink()

    [one, two] = world.start_workers(2)
    await world.under_load(fill())
    assert one.is_alive
    assert two.is_alive


async def test_eight_processes_share_a_file_and_nobody_hears_of_locks(
    sqlite_url: str, open_world: OpenWorld, rounds: int
) -> None:
    """With ``WORKFLOWS_CHAOS_ROUNDS=60`` this lasts ten minutes."""
    world = open_world(sqlite_url, CHAOS_LEASE_S="5")

    async def go_on() -> None:
        await asyncio.sleep(10 * rounds)

    world.start_workers(8)
    await world.under_load(go_on())
    assert world.refused == [], "a start or a decision was told of it"
    assert "locked" not in world.logs()
    assert "ERROR" not in world.logs()
    assert len({effect.pid for effect in world.effects.all()}) > 1, "one process did everything"
