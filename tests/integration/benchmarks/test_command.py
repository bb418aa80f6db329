"""The benchmark command: every measure runs, and its JSON has the figures that others read."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import msgspec
import pytest

QUICK = ("--seconds", "0.1", "--rounds", "1")


def bench(*arguments: str) -> str:
    command = (sys.executable, "-c", "from workflows_benchmarks.cli import main; main()", *arguments)
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=100).stdout


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_the_linear_benchmark_compares_a_database_with_itself(store: str) -> None:
    figures: dict[str, Any] = msgspec.json.decode(bench("linear-5", "--store", store, "--json", *QUICK))

    assert figures["name"] == "linear-5"
    assert figures["store"] == store
    assert figures["workflows_per_s"] > 0
    assert figures["ratio_to_raw_commit_per_step"] > 0
    assert figures["commits_per_workflow"] <= 7


def test_the_memory_benchmarks_measure_the_engine_alone() -> None:
    linear = msgspec.json.decode(bench("linear-5", "--store", "memory", "--json", *QUICK))
    steps = msgspec.json.decode(bench("memory-steps", "--json", *QUICK))

    assert linear["workflows_per_s_at_32"] > 0
    assert steps["cpu_us_per_step"] > 0


def test_people_get_a_table() -> None:
    table = bench("memory-steps", *QUICK)

    assert "| benchmark | store | figure | value |" in table
    assert "us_per_step" in table


def test_a_benchmark_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        bench("linear-6")

    assert "linear-5" in caught.value.stderr
