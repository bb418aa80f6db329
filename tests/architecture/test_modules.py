"""Rules that hold for every module: its size, its name and its first import."""

from __future__ import annotations

import ast
from pathlib import Path

MAX_LINES = 400
MEANINGLESS_NAMES = {"base", "common", "helper", "helpers", "misc", "shared", "util", "utils"}


def test_no_module_is_longer_than_400_lines(product_modules: list[Path], root: Path) -> None:
    lengths = {path.relative_to(root): len(path.read_text("utf-8").splitlines()) for path in product_modules}
    too_long = {str(path): n for path, n in lengths.items() if n > MAX_LINES and "migrations" not in path.parts}
    assert not too_long, "one module, one idea: split these"


def test_no_module_has_a_name_that_says_nothing(product_modules: list[Path], root: Path) -> None:
    named = [path.relative_to(root) for path in product_modules]
    vague = [str(path) for path in named if MEANINGLESS_NAMES & {path.stem.strip("_"), *path.parts[3:-1]}]
    assert not vague, "name a module after the concept in it"


def test_every_module_postpones_the_evaluation_of_annotations(product_modules: list[Path], root: Path) -> None:
    modules = [*product_modules, *root.glob("tests/**/*.py"), *root.glob("docs/**/*.py")]
    without = [str(path.relative_to(root)) for path in modules if not _postpones_annotations(path)]
    assert not without, "begin these with `from __future__ import annotations`"


def test_every_package_tells_type_checkers_that_it_is_typed(source_trees: list[Path], root: Path) -> None:
    packages = [path for tree in source_trees for path in tree.iterdir() if (path / "__init__.py").exists()]
    untyped = [str(path.relative_to(root)) for path in packages if not (path / "py.typed").exists()]
    assert len(packages) == len(source_trees), "one import package in each distribution"
    assert not untyped, "add an empty py.typed"


def _postpones_annotations(path: Path) -> bool:
    """True also for a module that has nothing but a docstring."""
    statements = ast.parse(path.read_text("utf-8")).body
    code = [node for node in statements if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))]
    return not code or any(
        isinstance(node, ast.ImportFrom)
        and node.module == "__future__"
        and any(alias.name == "annotations" for alias in node.names)
        for node in code
    )
