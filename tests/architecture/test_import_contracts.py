"""The import rule holds, and each of its contracts would notice a violation.

The contracts stand in the root `pyproject.toml`. Here forbidden imports are planted into a copy of the source trees:
a contract that lets one pass proves nothing, and is itself broken.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sysconfig
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

LINT_IMPORTS = Path(sysconfig.get_path("scripts")) / "lint-imports"


@dataclass(frozen=True)
class Violation:
    """A forbidden import: the contract that must notice it, the importing package, and the module that it names."""

    contract: str
    package: str
    imported: str
    statement: str = "import {}"

    @property
    def module(self) -> str:
        """The module that is planted; its name is unique, so that the report can be searched for it."""
        place, target = self.package.rpartition(".")[2], self.imported.replace(".", "_")
        return f"planted_{place}_imports_{target}"

    def __str__(self) -> str:
        return f"{self.package} imports {self.imported}"


LAYERS_OF_THE_CORE = [["cli", "adapters"], ["engine"], ["authoring"], ["ports"], ["domain"], ["errors"]]
UPWARD_IN_THE_CORE = [
    Violation("core-layers", f"workflows_core.{lower}", f"workflows_core.{higher}")
    for above, below in itertools.combinations(LAYERS_OF_THE_CORE, 2)
    for higher, lower in itertools.product(above, below)
    if lower != "errors"  # a single module: nothing can be planted beside it
]
VIOLATIONS = [
    Violation("packages", "workflows_core.engine", "workflows_sqlalchemy"),
    Violation("packages", "workflows_core.domain", "workflows_reference"),
    Violation("packages", "workflows_litestar", "workflows_sqlalchemy"),
    Violation("packages", "workflows_litestar", "workflows_dishka", "def late():\n    import {}"),
    Violation("packages", "workflows_sqlalchemy", "workflows_testing", "if False:\n    import {}"),
    Violation("packages", "workflows_testing", "workflows_sqlalchemy"),
    Violation("packages", "workflows_dishka", "workflows_benchmarks"),
    Violation("packages", "workflows_reference", "workflows_benchmarks"),
    *UPWARD_IN_THE_CORE,
    Violation("core-layers", "workflows_core.cli", "workflows_core.adapters"),
    Violation("core-layers", "workflows_core.adapters", "workflows_core.cli"),
    Violation("core-no-framework", "workflows_core.engine", "litestar"),
    Violation("core-no-framework", "workflows_core.adapters", "sqlalchemy", "from {} import text"),
    Violation("dishka-at-the-edge", "workflows_litestar", "dishka", "from {} import Provider"),
    Violation("sqlalchemy-in-its-adapter", "workflows_litestar", "sqlalchemy", "from {}.orm import Session"),
    Violation("sqlalchemy-in-its-adapter", "workflows_testing", "alembic"),
]


@pytest.fixture(scope="module")
def configuration(root: Path) -> dict[str, Any]:
    """The import-linter section of the root `pyproject.toml`."""
    section: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    return section


@pytest.fixture(scope="module")
def reports(
    configuration: dict[str, Any],
    source_trees: list[Path],
    tmp_path_factory: pytest.TempPathFactory,
    root: Path,
) -> dict[str, str]:
    """What import-linter says of a copy with every violation in it, by contract."""
    trees = _copy(source_trees, tmp_path_factory.mktemp("planted"))
    for violation in VIOLATIONS:
        if violation.imported.startswith("workflows_core."):
            _directory_of(violation.imported, trees)
        module = _directory_of(violation.package, trees) / f"{violation.module}.py"
        module.write_text(violation.statement.format(violation.imported) + "\n", "utf-8")
    contracts = [entry["id"] for entry in configuration["contracts"]]
    return {contract: _lint_imports(root, trees, "--contract", contract).stdout for contract in contracts}


def test_the_source_trees_keep_every_contract(source_trees: list[Path], root: Path) -> None:
    result = _lint_imports(root, source_trees)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_contracts_know_every_package_and_app(configuration: dict[str, Any], source_trees: list[Path]) -> None:
    present = {path.parent.name for tree in source_trees for path in tree.glob("*/__init__.py")}
    assert set(configuration["root_packages"]) == present


def test_every_contract_is_proved_by_a_planted_violation(configuration: dict[str, Any]) -> None:
    assert {violation.contract for violation in VIOLATIONS} == {entry["id"] for entry in configuration["contracts"]}


@pytest.mark.parametrize("violation", VIOLATIONS, ids=str)
def test_a_planted_violation_is_noticed(violation: Violation, reports: dict[str, str]) -> None:
    report = " ".join(reports[violation.contract].split())  # undo the wrapping of long lines
    assert f"{violation.package}.{violation.module} -> {violation.imported}" in report


def test_a_module_of_the_core_outside_the_layers_is_noticed(
    source_trees: list[Path], tmp_path: Path, root: Path
) -> None:
    trees = _copy(source_trees, tmp_path)
    (_directory_of("workflows_core", trees) / "stray.py").write_text("", "utf-8")
    result = _lint_imports(root, trees, "--contract", "core-layers")
    assert result.returncode == 1
    assert "stray" in result.stdout


def test_a_layer_cannot_reach_upwards_through_the_names_of_the_package(
    source_trees: list[Path], tmp_path: Path, root: Path
) -> None:
    trees = _copy(source_trees, tmp_path)
    (_directory_of("workflows_core.engine", trees) / "planted.py").write_text("THING = 1\n", "utf-8")
    (_directory_of("workflows_core", trees) / "__init__.py").write_text(
        "from workflows_core.engine.planted import THING\n", "utf-8"
    )
    (_directory_of("workflows_core.domain", trees) / "planted.py").write_text(
        "from workflows_core import THING\n", "utf-8"
    )
    result = _lint_imports(root, trees, "--contract", "core-layers")
    assert result.returncode == 1
    assert "workflows_core.domain.planted -> workflows_core" in result.stdout


def _copy(trees: list[Path], into: Path) -> list[Path]:
    ignored = shutil.ignore_patterns("__pycache__")
    return [Path(shutil.copytree(tree, into / tree.parent.name, ignore=ignored)) for tree in trees]


def _directory_of(package: str, trees: list[Path]) -> Path:
    """The directory of a package in the copy; a layer that has no code yet is made."""
    top_level, *inner = package.split(".")
    directory = next(tree / top_level for tree in trees if (tree / top_level).is_dir())
    for name in inner:
        directory /= name
        directory.mkdir(exist_ok=True)
        (directory / "__init__.py").touch()
    return directory


def _lint_imports(root: Path, trees: list[Path], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run import-linter on these trees; they come before the installed packages on the path."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, trees)), "COLUMNS": "300"}
    command: list[str | Path] = [
        LINT_IMPORTS,
        "--no-logo",
        "--no-cache",
        "--config",
        root / "pyproject.toml",
        *arguments,
    ]
    return subprocess.run(
        command, cwd=trees[0], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
