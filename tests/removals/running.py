"""Runs tests in a process of their own, also against a package from which something was removed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path
from typing import Final, TypeAlias

from tests.removals.removal import ROOT, Removal

__all__ = ["copy_without", "run_pytest", "what_fails"]

_LONGEST_TEST_S: Final = 30
_UNUSED_PLUGINS: Final = ("cacheprovider", "faker", "schemathesis")
"""The last two take longer to load than most tests to run."""

_Key: TypeAlias = tuple[str, str]


def copy_without(removal: Removal, directory: Path) -> Path:
    """Copy the package of a mechanism, without the mechanism; gives the directory from which it can be imported."""
    package = removal.package
    copied = shutil.copytree(package, directory / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    changed = copied / removal.path.relative_to(package)
    changed.write_text(removal.apply(changed.read_text(encoding="utf-8")), encoding="utf-8")
    return directory


def run_pytest(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in another process; it leaves nothing behind in the repository."""
    command = [sys.executable, "-m", "pytest", "-q", *(f"-pno:{plugin}" for plugin in _UNUSED_PLUGINS), *arguments]
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def what_fails(tests: Iterable[str], directory: Path, **environment: str) -> dict[str, str]:
    """Run tests to their end; one that is skipped, or that breaks before it begins, is an error.

    Args:
        tests: Their names.
        directory: Where the report is written.
        environment: Variables beside those that this process has.

    Returns:
        What those say that failed.
    """
    wanted = {_key(test): test for test in tests}
    report = directory / "report.xml"
    ran = run_pytest(f"--timeout={_LONGEST_TEST_S}", f"--junitxml={report}", *wanted.values(), **environment)
    output = ran.stdout + ran.stderr
    assert report.exists(), output
    cases = {(case.get("classname", ""), case.get("name", "")): case for case in ET.parse(report).iter("testcase")}
    assert cases.keys() == wanted.keys(), output
    assert not any(case.find("error") is not None or case.find("skipped") is not None for case in cases.values()), (
        output
    )
    failures = {wanted[key]: case.find("failure") for key, case in cases.items()}
    return {test: _said(found) for test, found in failures.items() if found is not None}


def _said(failure: ET.Element) -> str:
    """The lines of a failure that tell what was wrong, without the code that is shown around them."""
    lines = (failure.text or "").splitlines()
    return "\n".join(line.removeprefix("E").strip() for line in lines if line.startswith("E  "))


def _key(test: str) -> _Key:
    """Class and name of a test as they stand in a report."""
    module, *classes, name = test.split("::")
    return ".".join((module.removesuffix(".py").replace("/", "."), *classes)), name
