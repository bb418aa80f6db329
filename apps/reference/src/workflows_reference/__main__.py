"""``python -m workflows_reference`` is ``workflows-demo``."""

from __future__ import annotations

from workflows_reference.cli import main

main()
