"""``python -m workflows_benchmarks``."""

from __future__ import annotations

from workflows_benchmarks.cli import main

if __name__ == "__main__":
    main()
