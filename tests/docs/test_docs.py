"""The documentation builds without a warning, shows only code that tests execute, and lists what there is."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from litestar import Litestar

from workflows_core import LocalExecutionEngine, WorkflowEngine
from workflows_litestar import WorkflowPlugin, WorkflowPluginConfig
from workflows_litestar.problems.kinds import HTTP_PROBLEMS, PROBLEMS
from workflows_testing.servers import RedisServer

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if not {"_build", "changelog.d"} & set(path.parts))
INCLUDED = re.compile(r"^```\{literalinclude\} (\S+)$", re.MULTILINE)
ROW = re.compile(r"^\| `([^`]+)` \| (?:(\d+) \| )?(.*?) \|$", re.MULTILINE)


def identify(page: Path) -> str:
    return str(page.relative_to(DOCS))


@pytest.mark.parametrize("page", PAGES, ids=identify)
def test_python_code_is_shown_only_from_files_that_tests_execute(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"^\s*(```|~~~|:::)\s*(\{code-block\} )?(py|pycon|python3?)\b", text, re.MULTILINE)
    for target in INCLUDED.findall(text):
        shown = (page.parent / target).resolve()
        assert shown.is_file()
        assert (ROOT / "tests") in shown.parents or shown.parent == DOCS / "examples"


def test_every_example_is_shown_somewhere() -> None:
    shown = {(page.parent / target).resolve() for page in PAGES for target in INCLUDED.findall(page.read_text())}
    assert set((DOCS / "examples").glob("*.py")) <= shown


@pytest.mark.timeout(300)
def test_the_documentation_builds_without_a_warning(tmp_path: Path) -> None:
    options = ("-W", "-n", "--keep-going", "-q", "-b", "html", "-d", str(tmp_path / "doctrees"))
    command = [sys.executable, "-m", "sphinx", *options, str(DOCS), str(tmp_path / "html")]
    built = subprocess.run(command, check=False, capture_output=True, text=True, timeout=290)
    assert built.returncode == 0, built.stderr


def section(page: str, heading: str) -> dict[str, tuple[str, str]]:
    """The rows of the table below a heading: number and text by what stands in the first column."""
    text = (DOCS / page).read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return {code: (number, words) for code, number, words in ROW.findall(text)}


def test_the_reference_lists_every_route() -> None:
    plugin = WorkflowPlugin(WorkflowPluginConfig(engine=LocalExecutionEngine(), allow_anonymous=True))
    paths = Litestar(plugins=[plugin], logging_config=None).openapi_schema.to_schema()["paths"]
    routes = {
        f"{method.upper()} {path.removeprefix('/workflows')}": ("", operation["summary"])
        for path, operations in paths.items()
        for method, operation in operations.items()
    }
    assert section("reference/litestar.md", "Routes") == routes


def test_the_reference_lists_every_problem() -> None:
    kinds = {kind.slug: (str(kind.status), kind.title) for kind in (*PROBLEMS.values(), *HTTP_PROBLEMS.values())}
    assert section("reference/litestar.md", "Problems") == kinds


def test_the_page_on_transactions_names_every_call_that_takes_a_session() -> None:
    calls = {name: call for name, call in inspect.getmembers(WorkflowEngine, inspect.isfunction) if name[0] != "_"}
    taking = {name for name, call in calls.items() if "session" in inspect.signature(call).parameters}
    page = (DOCS / "how-to" / "transactions.md").read_text(encoding="utf-8")
    named = re.search(r"`session=` is an argument of\n(.+?)\.$", page, re.MULTILINE)
    assert named is not None
    assert set(re.findall(r"`(\w+)`", named[1])) == taking


def test_every_test_that_the_guarantees_name_exists() -> None:
    named = set(
        re.findall(r"`(test_\w+|Test\w+)`", (DOCS / "explanation" / "guarantees.md").read_text(encoding="utf-8"))
    )
    modules = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "packages/workflows-testing").rglob("*.py")]
    defined = {
        name
        for module in modules
        for name in re.findall(
            r"^\s*(?:async )?(?:def )?(test_\w+|Test\w+)[(\s]", module.read_text(encoding="utf-8"), re.MULTILINE
        )
    }
    assert len(named) > 30
    assert named <= defined


@pytest.mark.parametrize("readme", sorted(ROOT.glob("packages/*/README.md")), ids=lambda path: path.parent.name)
def test_the_snippets_of_a_package_run(readme: Path, tmp_path: Path, redis_service: RedisServer) -> None:
    snippets = re.findall(r"^```python\n(.*?)^```$", readme.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert snippets
    broker = redis_service.database_url(3)
    environment = {**os.environ, "DATABASE_URL": "sqlite:///app.db", "REDIS_URL": broker, "BROKER_URL": broker}
    for snippet in snippets:
        command = [sys.executable, "-W", "error", "-c", snippet]
        finished = subprocess.run(
            command, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True, timeout=60
        )
        assert finished.returncode == 0, finished.stderr
