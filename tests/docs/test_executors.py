"""The page about executors shows which rule is tested with which executor and store.

After a change that is meant, ``WORKFLOWS_UPDATE_DOCS=1 pytest tests/docs`` writes the page anew; read the difference.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.conformance.executors import test_arq, test_celery, test_local, test_notifiers, test_saq

from workflows_testing.conformance import ExecutorDeploymentConformance
from workflows_testing.conformance.deployment_deliveries import DeploymentDeliveries

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "executors.md"
MARK = "<!-- rules: from here on written by tests/docs/test_executors.py -->\n"
MODULES = (test_local, test_notifiers, test_saq, test_celery, test_arq)
STORES = {"PostgreSQL": "P", "SQLite": "S"}
TITLES = {
    "InProcess": "in process",
    "Notifier": "notifier",
    "SAQ": "SAQ",
    "Celery": "Celery, prefork",
    "CeleryThreads": "Celery, threads",
    "CelerySolo": "Celery, solo",
    "ARQ": "ARQ",
}


def deployments() -> Iterator[tuple[str, str, type]]:
    """The executor, the store and the test class of each deployment."""
    for module in MODULES:
        for name, found in vars(module).items():
            if name.startswith("Test") and issubclass(found, DeploymentDeliveries) and "Through" not in name:
                executor, _, store = name.removeprefix("Test").partition("On")
                yield executor, store, found


def rules(suite: type) -> list[str]:
    """The rules of a suite, in their order."""
    return [name for area in suite.__bases__ for name in vars(area) if name.startswith("test_")]


def described() -> str:
    """The table, as the page shows it."""
    tested: dict[tuple[str, str], list[str]] = defaultdict(list)
    for executor, store, found in deployments():
        for rule in rules(ExecutorDeploymentConformance):
            if hasattr(found, rule):
                tested[rule, executor].append(STORES[store])
    lines = [["rule", *TITLES.values()], ["---", *[":-:"] * len(TITLES)]]
    for rule in rules(ExecutorDeploymentConformance):
        sentence = rule.removeprefix("test_").replace("_", " ")
        lines.append([sentence, *(" ".join(tested[rule, executor]) for executor in TITLES)])
    return "\n" + "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def test_the_page_shows_every_rule_with_every_deployment() -> None:
    before, _, shown = PAGE.read_text(encoding="utf-8").partition(MARK)
    if os.environ.get("WORKFLOWS_UPDATE_DOCS"):
        shown = described()
        PAGE.write_text(before + MARK + shown, encoding="utf-8")
    assert shown == described()


def test_every_deployment_has_a_column() -> None:
    assert {executor for executor, _, _ in deployments()} == TITLES.keys()
