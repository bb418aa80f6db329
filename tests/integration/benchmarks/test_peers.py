"""The scripts of other libraries: what they share, and what becomes of one that cannot be run."""

from __future__ import annotations

import ast
import time
from pathlib import Path
from typing import Any

import pytest

import workflows_benchmarks.peers
from workflows_benchmarks.effort import Effort
from workflows_benchmarks.peers.clients import Options, Way, measure
from workflows_benchmarks.peers.running import add_peers
from workflows_benchmarks.places import open_place
from workflows_benchmarks.report import Report

SCRIPTS = sorted(Path(workflows_benchmarks.peers.__file__).parent.glob("*_peer.py"))


async def quick(_client: int) -> None:
    return None


def slow(_client: int) -> None:
    time.sleep(0.005)


async def test_of_several_ways_the_fastest_is_measured_at_each_number_of_clients() -> None:
    options = Options("linear-5", "memory", seconds=0.02, rounds=2, clients=(1, 3))
    found: dict[str, Any] = await measure(options, [Way("in threads", run_in_thread=slow), Way("here", run=quick)])

    assert (found["way_at_1"], found["way_at_3"]) == ("here", "here")
    assert found["workflows_per_s"] == max(found["workflows_per_s_at_1"], found["workflows_per_s_at_3"])
    assert found["p50_ms_at_1"] < 5


async def test_a_way_that_blocks_has_a_thread_for_each_client() -> None:
    options = Options("linear-5", "memory", seconds=0.1, rounds=1, clients=(1, 4))
    found: dict[str, Any] = await measure(options, [Way("in threads", run_in_thread=slow)])

    assert found["workflows_per_s_at_4"] > found["workflows_per_s_at_1"] * 1.5


async def test_a_library_that_bears_no_more_clients_is_measured_with_as_many_as_it_bears() -> None:
    async def bears_one(client: int) -> None:
        if client > 0:
            raise OSError("too many")

    options = Options("linear-5", "memory", seconds=0.01, rounds=1, clients=(1, 2))
    found: dict[str, Any] = await measure(options, [Way("here", run=bears_one)])

    assert found["workflows_per_s"] == found["workflows_per_s_at_1"]
    assert found["failed"] == "OSError with 2 clients"


async def test_without_uv_the_notes_say_that_peers_were_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    report = Report("linear-5", "memory", {"workflows_per_s": 1.0, "p50_ms_at_1": 1.0})
    async with open_place("memory") as place:
        added = await add_peers(report, place, Effort(), (1,))

    assert added.figures == report.figures
    assert added.notes == ("litestar-workflows was not measured: uv is not on the PATH",)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_names_its_dependencies_and_imports_of_ours_only_what_all_share(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    imported = {node.module for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)}

    assert text.startswith("# /// script\n")
    assert {name for name in imported if name and name.startswith("workflows_")} == {
        "workflows_benchmarks.peers.clients"
    }
