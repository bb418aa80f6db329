"""Each package installs alone: its wheel, with nothing but what it names, can be imported."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(path.name for path in (ROOT / "packages").iterdir() if (path / "pyproject.toml").exists())
FRAMEWORKS = {"alembic", "arq", "celery", "dishka", "litestar", "pytest", "saq", "sqlalchemy"}


def named(package: str) -> set[str]:
    """The distributions that a package names."""
    project = tomllib.loads((ROOT / "packages" / package / "pyproject.toml").read_text())["project"]
    return {requirement.partition(">")[0].partition("[")[0].strip() for requirement in project.get("dependencies", ())}


def ours(package: str) -> set[str]:
    """A package and those of ours that it needs."""
    found = {package}
    for name in named(package) & set(PACKAGES):
        found |= ours(name)
    return found


def uv(*arguments: object) -> str:
    finished = subprocess.run(["uv", *map(str, arguments)], capture_output=True, text=True, check=False, cwd=ROOT)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel of each package."""
    directory = tmp_path_factory.mktemp("wheels")
    uv("build", "--quiet", "--all-packages", "--wheel", "--out-dir", directory)
    return {package: next(directory.glob(f"{package.replace('-', '_')}-*.whl")) for package in PACKAGES}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_installs_alone(package: str, wheels: dict[str, Path], tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    uv("venv", "--quiet", environment)
    python = environment / "bin" / "python"
    uv("pip", "install", "--quiet", "--python", python, *(wheels[name] for name in ours(package)))
    module = package.replace("-", "_")
    imported = subprocess.run(
        [python, "-W", "error", "-c", f"import {module}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert imported.returncode == 0, imported.stderr
    installed = {line.partition("==")[0] for line in uv("pip", "freeze", "--python", python).splitlines()}
    wanted = set[str]().union(*(named(name) for name in ours(package)))
    assert installed & FRAMEWORKS <= wanted | ({"sqlalchemy"} if "alembic" in wanted else set())
