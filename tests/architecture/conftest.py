"""What the architecture tests look at: the source trees of the workspace."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def source_trees() -> list[Path]:
    """The `src` directory of every package and app."""
    return sorted([*ROOT.glob("packages/*/src"), *ROOT.glob("apps/*/src")])


@pytest.fixture(scope="session")
def product_modules(source_trees: list[Path]) -> list[Path]:
    """Every module of every package and app."""
    return sorted(path for tree in source_trees for path in tree.rglob("*.py"))
