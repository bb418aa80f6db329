"""The page of the documentation shows the figures that are kept, and can be written anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from workflows_benchmarks.cli import main
from workflows_benchmarks.performance_page import BEGIN, END, describe, keep, rewrite
from workflows_benchmarks.report import Report, read_reports, to_json
from workflows_benchmarks.targets import judge

ROOT = Path(__file__).parents[3]
KEPT = ROOT / "apps/benchmarks/figures.json"
PAGE = ROOT / "docs/explanation/performance.md"


def report(best: float, *, store: str = "postgresql") -> Report:
    figures = {
        "workflows_per_s": best,
        "workflows_per_s_at_1": 100.0,
        "p50_ms_at_1": 4.0,
        "raw_workflows_per_s": 1000.0,
        "raw_commits_per_s_best": 5000.0,
        "ratio_to_raw_commit_per_step": best / 1000,
        "commits_per_workflow": 7,
        "statements_per_workflow": 8,
    }
    return Report("linear-5", store, figures)


def test_the_page_shows_the_figures_that_are_kept() -> None:
    shown = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert shown == describe(read_reports(KEPT.read_bytes()))


def test_new_figures_take_the_place_of_earlier_ones_on_the_page_and_nothing_else_changes(tmp_path: Path) -> None:
    page, kept, found = tmp_path / "page.md", tmp_path / "kept.json", tmp_path / "found.json"
    page.write_text(f"before\n{BEGIN}old\n{END}after\n", encoding="utf-8")
    keep(kept, [report(1111), report(222, store="sqlite")])
    found.write_text(to_json([report(3333)]), encoding="utf-8")

    main(["document", str(found), "--figures", str(kept), "--page", str(page)])

    written = page.read_text(encoding="utf-8")
    assert written.startswith(f"before\n{BEGIN}")
    assert written.endswith(f"{END}after\n")
    assert "3,333" in written
    assert "| measure | target | measured | met | measured on |" in written
    assert "222" in written
    assert "1,111" not in written
    assert "old" not in written


def test_a_page_without_the_marks_is_refused_with_the_marks_that_it_needs(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing", encoding="utf-8")

    with pytest.raises(ValueError, match="figures: end"):
        rewrite(page, [report(1)])


def test_a_target_is_met_or_missed_by_the_figure_of_its_report() -> None:
    verdicts = {verdict.target.figure: verdict.is_met for verdict in judge(report(1100))}

    assert verdicts == {
        "commits_per_workflow": True,
        "statements_per_workflow": False,
        "ratio_to_raw_commit_per_step": True,
    }
    assert not judge(report(700, store="memory"))


def test_a_bound_may_be_a_figure_of_the_same_run() -> None:
    slow, fast = (
        Report("approval", "postgresql", {"decision_p50_ms": p50, "allowed_p50_ms": 5.0}) for p50 in (5.1, 4.9)
    )

    assert [verdict.is_met for verdict in (*judge(slow), *judge(fast))] == [False, True]
