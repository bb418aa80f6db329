"""The benchmark command: every measure runs, and its JSON has the figures that others read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from workflows_benchmarks import fan_out, group_commit, linear, running
from workflows_benchmarks.catalogue import BENCHMARKS
from workflows_benchmarks.cli import main
from workflows_benchmarks.machine import describe_machine
from workflows_benchmarks.targets import TARGETS

TINY = ("--seconds", "0.05", "--rounds", "1")
SIZED = {"executors": "20", "approval": "3", "hints": "1", "backlog": "20", "scale": "200"}
PEERS = ("dbos", "langgraph", "litestar_workflows", "celery")
BESIDE_QUEUES = "executors"
"""Measured beside bare task queues instead of the raw database, with worker processes of all of them, which take their time to start."""
UNDER_A_LEASE = "takeover"
"""Measured beside nothing: a raw database has no lease."""
SHARED = "shared-file"
"""Measured beside nothing: errors are counted."""
MEASURED = [
    (name, store)
    for name, benchmark in BENCHMARKS.items()
    for store in benchmark.stores
    if name not in {BESIDE_QUEUES, UNDER_A_LEASE, SHARED}
]


def measure(name: str, store: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    size = ("--size", SIZED[name]) if name in SIZED else ()
    main([name, "--store", store, "--json", *TINY, *size])
    figures: dict[str, Any] = msgspec.json.decode(capsys.readouterr().out)
    return figures


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few workflows in flight, for each of them is finished however short the measurement is."""
    monkeypatch.setattr(linear, "CONCURRENCIES", (1, 4))
    monkeypatch.setattr(fan_out, "CONCURRENCIES", (1, 2))
    monkeypatch.setattr(group_commit, "IN_FLIGHT", 8)


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("server")
def test_executors_are_measured_beside_their_bare_queues(capsys: pytest.CaptureFixture[str]) -> None:
    figures = measure(BESIDE_QUEUES, "postgresql", capsys)

    assert {target.figure for target in TARGETS if target.benchmark == BESIDE_QUEUES} <= set(figures)
    assert all(figures[f"{queue}_chains_per_s"] > 0 for queue in ("saq", "celery", "arq"))


@pytest.mark.usefixtures("server", "few")
@pytest.mark.parametrize(("name", "store"), MEASURED)
def test_each_benchmark_measures_each_of_its_stores(name: str, store: str, capsys: pytest.CaptureFixture[str]) -> None:
    figures = measure(name, store, capsys)

    assert (figures["name"], figures["store"]) == (name, store)
    assert figures["peak_memory_mib"] > 0
    if store != "memory":
        assert figures["raw_commits_per_s_best"] > 0
        assert figures["raw_round_trips_per_s_alone"] > 0
        assert any("ratio_to_raw" in figure for figure in figures)
    bounds = [target for target in TARGETS if (target.benchmark, target.store) == (name, store)]
    measured_alone = [target for target in bounds if not any(peer in target.figure for peer in PEERS)]
    assert {target.figure for target in measured_alone} <= set(figures)
    assert {target.most for target in measured_alone if isinstance(target.most, str)} <= set(figures)


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
@pytest.mark.usefixtures("server")
def test_a_takeover_is_timed_from_the_death_of_a_worker_process(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    figures = measure(UNDER_A_LEASE, store, capsys)

    assert (figures["name"], figures["store"], figures["takeovers"]) == ("takeover", store, 1)
    assert figures["takeover_max_s"] > figures["lease_s"] / 3, "it has not waited for the lease"
    assert figures["allowed_s"] == figures["lease_s"] + 2
    bounds = [target for target in TARGETS if (target.benchmark, target.store) == (UNDER_A_LEASE, store)]
    assert [(target.figure, target.most) for target in bounds] == [("takeover_max_s", "allowed_s")]


def test_errors_are_counted_while_eight_processes_share_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    main([SHARED, "--store", "sqlite", "--json", *TINY, "--size", "2"])
    figures = msgspec.json.decode(capsys.readouterr().out)

    assert (figures["processes"], figures["errors_told"]) == (8, 0)
    assert figures["seconds"] >= 2
    assert figures["steps"] == 5 * figures["workflows"] > 0
    bounds = [target for target in TARGETS if target.benchmark == SHARED]
    assert [(target.figure, target.most) for target in bounds] == [("errors_told", 0)]


def test_all_runs_each_benchmark_in_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two = ("memory-steps", "approval")
    monkeypatch.setattr(running, "BENCHMARKS", {name: BENCHMARKS[name] for name in two})
    out = tmp_path / "figures.json"
    main(["all", "--store", "memory", "--quick", "--json", "--out", str(out), *TINY])

    reports = msgspec.json.decode(out.read_bytes())
    assert [(report["name"], report["store"]) for report in reports] == [(name, "memory") for name in two]


def test_people_get_a_table_of_figures_and_what_they_were_measured_on(capsys: pytest.CaptureFixture[str]) -> None:
    main(["memory-steps", *TINY])

    shown = capsys.readouterr().out
    assert "| benchmark | store | figure | value |" in shown
    assert "us_per_step" in shown
    assert describe_machine() in shown


def test_a_benchmark_that_does_not_exist_is_refused_with_those_that_do(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["linear-6"])

    assert refused.value.code == 2
    assert "linear-5" in capsys.readouterr().err
