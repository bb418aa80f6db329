"""Every mechanism that a guarantee rests on is missed when it is gone: a named test fails.

``WORKFLOWS_TEST_REMOVALS=1 pytest tests/removals`` takes them away one after the other, each from a copy of its package, which takes minutes.
Without it, only what can be known without running anything is tested: that the table of removals still fits the code.

After a change of the table that is meant, ``WORKFLOWS_UPDATE_DOCS=1 pytest tests/removals`` writes its part of the page about guarantees anew;
read the difference.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.removals.removal import ROOT, Removal
from tests.removals.running import copy_without, run_pytest, what_fails
from tests.removals.table import REMOVALS

from workflows_testing.servers import PostgresServer

PAGE = ROOT / "docs" / "explanation" / "guarantees.md"
BEGIN = "<!-- removals: from here on written by tests/removals/test_removals.py -->\n"
END = "<!-- removals: to here -->\n"


def each_once(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def shown() -> str:
    """The table as the page shows it: a line for each mechanism."""
    mechanisms: dict[tuple[str, str], list[Removal]] = {}
    for removal in REMOVALS:
        mechanisms.setdefault((removal.guarantee, removal.mechanism), []).append(removal)
    lines = ["| | Taken away | Fails |", "| --- | --- | --- |"]
    for (guarantee, mechanism), removals in mechanisms.items():
        places = each_once(removal.place for removal in removals if removal.place)
        failing = each_once(f"`{title(test)}`" for removal in removals for test in removal.fails)
        lines.append(f"| {guarantee} | {mechanism}{f' ({places})' if places else ''} | {failing} |")
    return "\n".join((*lines, ""))


def title(test: str) -> str:
    """The name of a test, that of its class if it has none of its own."""
    *_, owner, name = test.partition("[")[0].split("::")
    return owner if name == "runTest" else name


def test_every_guarantee_has_its_removals() -> None:
    assert {removal.guarantee for removal in REMOVALS} == set(
        re.findall(r"^## (G\d+)\.", PAGE.read_text("utf-8"), re.MULTILINE)
    )
    assert len({removal.name for removal in REMOVALS}) == len(REMOVALS)


@pytest.mark.parametrize("removal", REMOVALS, ids=lambda removal: removal.name)
def test_what_is_taken_away_is_there_and_leaves_a_module(removal: Removal) -> None:
    compile(removal.apply(removal.path.read_text(encoding="utf-8")), removal.module, "exec")


def test_every_test_that_is_to_fail_exists() -> None:
    tests = dict.fromkeys(test for removal in REMOVALS for test in removal.fails)
    found = run_pytest("--collect-only", *tests)
    assert found.returncode == 0, found.stdout + found.stderr


def test_the_page_shows_every_removal() -> None:
    before, begin, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    table, end, after = rest.partition(END)
    assert begin
    assert end
    if os.environ.get("WORKFLOWS_UPDATE_DOCS"):
        table = shown()
        PAGE.write_text(before + begin + table + end + after, encoding="utf-8")
    assert table == shown()


@pytest.fixture(scope="session")
def with_everything(
    request: pytest.FixtureRequest, postgres_service: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """What fails although nothing was taken away, of the tests that are to fail in this run."""
    parameters = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    chosen = [given for params in parameters if isinstance(given := params.get("removal"), Removal)]
    tests = dict.fromkeys(test for removal in chosen for test in removal.fails)
    return what_fails(tests, tmp_path_factory.mktemp("sound"), WORKFLOWS_TEST_POSTGRES_URL=postgres_service.url)


@pytest.mark.skipif(not os.environ.get("WORKFLOWS_TEST_REMOVALS"), reason="WORKFLOWS_TEST_REMOVALS is not set")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("removal", REMOVALS, ids=lambda removal: removal.name)
def test_what_is_taken_away_is_missed(
    removal: Removal, with_everything: dict[str, str], postgres_service: PostgresServer, tmp_path: Path
) -> None:
    assert not with_everything.keys() & set(removal.fails), "they must pass as long as everything is there"
    packages = str(copy_without(removal, tmp_path))
    failing = what_fails(removal.fails, tmp_path, PYTHONPATH=packages, WORKFLOWS_TEST_POSTGRES_URL=postgres_service.url)
    assert failing.keys() == set(removal.fails), "nobody misses it"
    for said in failing.values():
        assert re.search(removal.says, said), said
