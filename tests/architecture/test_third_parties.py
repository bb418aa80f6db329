"""What the core may import from outside, stated as the short list of what it needs."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

DOMAIN_AND_ENGINE = {"jsonschema_rs", "msgspec", "packaging", "uuid_utils", "workflows_core"}
COMMAND_LINE = DOMAIN_AND_ENGINE | {"click"}


def test_the_core_imports_only_what_it_declares(root: Path) -> None:
    core = root / "packages/workflows-core/src/workflows_core"
    unexpected = [
        f"{path.relative_to(core)}:{line} imports {name}"
        for path in sorted(core.rglob("*.py"))
        for name, line in _imported_top_levels(path)
        if name not in (COMMAND_LINE if path.relative_to(core).parts[0] in {"cli", "cli.py"} else DOMAIN_AND_ENGINE)
    ]
    assert not unexpected, "`pip install workflows-core` must stay small"


def _imported_top_levels(path: Path) -> Iterator[tuple[str, int]]:
    """Top-level names of the imported modules that are not in the standard library, also in function bodies.

    What only type checkers import is never imported.
    """
    tree = ast.parse(path.read_text("utf-8"))
    blocks = [node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    unseen = {inner for block in blocks for statement in block.body for inner in ast.walk(statement)}
    for node in ast.walk(tree):
        if node in unseen:
            continue
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module]
        else:
            continue
        for module in modules:
            top_level = module.partition(".")[0]
            if top_level not in sys.stdlib_module_names:
                yield top_level, node.lineno
