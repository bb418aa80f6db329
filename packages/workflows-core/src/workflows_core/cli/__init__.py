"""The command line: ``workflows …``, for people and scripts. Needs the extra ``workflows-core[cli]``.

Adapters add commands of their own through entry points of the group ``workflows.cli``, and a web framework may mount
`workflows_core.cli.main.build_group` with its own engine.
"""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line; says how to install it where its one dependency is missing."""
    try:
        from workflows_core.cli.main import build_group
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        msg = "the command line needs click; install it with: pip install 'workflows-core[cli]'"
        raise SystemExit(msg) from None
    build_group()()
