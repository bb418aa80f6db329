"""The command ``workflows-bench``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from workflows_benchmarks.catalogue import BENCHMARKS
from workflows_benchmarks.effort import Effort
from workflows_benchmarks.peers.running import has_peers
from workflows_benchmarks.performance_page import keep, rewrite
from workflows_benchmarks.places import STORES
from workflows_benchmarks.report import Report, read_reports, to_json, to_markdown
from workflows_benchmarks.running import run_benchmark, run_in_processes
from workflows_benchmarks.targets import to_table

__all__ = ["main"]

_QUICK = Effort(seconds=0.2, rounds=2)
_FIGURES = Path("apps/benchmarks/figures.json")
_PAGE = Path("docs/explanation/performance.md")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run benchmarks, and print their figures beside those of the raw database."""
    parser = argparse.ArgumentParser(prog="workflows-bench", description=main.__doc__)
    commands = parser.add_subparsers(dest="name", required=True, metavar="COMMAND")
    for name, benchmark in BENCHMARKS.items():
        command = commands.add_parser(name, help=benchmark.summary)
        command.add_argument("--store", choices=benchmark.stores, help="only on this store; all by default")
        _add_common(command)
        if benchmark.size_means:
            words = f"{benchmark.size_means} (default: {benchmark.size}, quick: {benchmark.quick_size})"
            command.add_argument("--size", type=int, help=words)
        if has_peers(name):
            command.add_argument("--peers", action="store_true", help="measure other libraries too; needs uv and PyPI")
    command = commands.add_parser("all", help="all of them, each in a process of its own")
    command.add_argument("--store", choices=STORES, help="only on this store; all by default")
    command.add_argument("--peers", action="store_true", help="measure other libraries too; needs uv and PyPI")
    _add_common(command)
    command = commands.add_parser("document", help="keep figures, and write all that are kept into the documentation")
    command.add_argument("found", type=Path, nargs="*", help="files that --json --out wrote")
    command.add_argument("--figures", type=Path, default=_FIGURES, help=f"where they are kept (default: {_FIGURES})")
    command.add_argument("--page", type=Path, default=_PAGE, help=f"the page (default: {_PAGE})")
    options = parser.parse_args(arguments)
    if options.name == "document":
        found = [report for path in options.found for report in read_reports(path.read_bytes())]
        rewrite(options.page, keep(options.figures, found))
        return
    reports = _run_all(options) if options.name == "all" else _run_one(options)
    shown = to_json(reports) if options.json else f"{to_markdown(reports)}\n{to_table(reports)}"
    if options.out is not None:
        options.out.write_text(shown, encoding="utf-8")
    else:
        sys.stdout.write(shown)


def _add_common(command: argparse.ArgumentParser) -> None:
    full = Effort()
    words = f"(default: {full.seconds}, quick: {_QUICK.seconds})"
    command.add_argument("--seconds", type=float, help=f"length of each measurement {words}")
    words = f"(default: {full.rounds}, quick: {_QUICK.rounds})"
    command.add_argument("--rounds", type=int, help=f"repetitions, of which medians are reported {words}")
    command.add_argument("--quick", action="store_true", help="see that it runs: the figures say little")
    command.add_argument("--json", action="store_true", help="JSON instead of Markdown")
    command.add_argument("--out", type=Path, help="write to this file instead of printing")


def _run_one(options: argparse.Namespace) -> list[Report]:
    benchmark = BENCHMARKS[options.name]
    effort = _QUICK if options.quick else Effort()
    size = getattr(options, "size", None) or (benchmark.quick_size if options.quick else benchmark.size)
    effort = replace(effort, size=size, peers=getattr(options, "peers", False))
    if options.seconds is not None:
        effort = replace(effort, seconds=options.seconds)
    if options.rounds is not None:
        effort = replace(effort, rounds=options.rounds)
    stores = benchmark.stores if options.store is None else (options.store,)
    return run_benchmark(options.name, stores, effort)


def _run_all(options: argparse.Namespace) -> list[Report]:
    passed_on = ["--quick"] if options.quick else []
    for name in ("seconds", "rounds"):
        value = getattr(options, name)
        if value is not None:
            passed_on += [f"--{name}", str(value)]
    return run_in_processes(options.store, passed_on, peers=options.peers)
