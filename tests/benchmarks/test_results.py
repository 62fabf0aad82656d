"""The frame of the benchmarks: rows in files, verdicts, one table that the page holds."""

import importlib.util
import re
from pathlib import Path

import pytest

from benchmarks import results
from benchmarks.__main__ import BENCHMARKS, BY_NAME_ALONE
from benchmarks.results import Row


def row(ratio: float, target: float | None, better: str = "lower") -> Row:
    return Row("copying", ratio, target, better, "cp", ".venv/bin/python -m benchmarks.copying")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ratio", "target", "better", "verdict"),
    [
        (1.0, 1.0, "lower", "met"),
        (1.01, 1.0, "lower", "missed"),
        (1.0, 1.0, "higher", "met"),
        (0.99, 1.0, "higher", "missed"),
        (7.0, None, "higher", ""),
    ],
)
def test_a_target_is_met_on_its_good_side(ratio: float, target: float | None, better: str, verdict: str) -> None:
    assert row(ratio, target, better).verdict == verdict


def test_a_ratio_that_is_no_figure_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="copying: ratio"):
        row(float("nan"), 1.0)
    with pytest.raises(ValueError, match="lower or higher"):
        row(1.0, 1.0, "faster")


def test_rows_come_back_from_their_file(tmp_path: Path) -> None:
    rows = [row(0.5, 1.0), row(2.0, None)]
    results.save("copying", rows, tmp_path)
    assert results.load(tmp_path) == {"copying": rows}


def test_the_table_says_missed_as_plainly_as_met() -> None:
    table = results.table({"copying": [row(0.5, 1.0), row(1.5, 1.0)]})
    assert "| copying | cp | ≤ 1 | 0.5 | met | `.venv/bin/python -m benchmarks.copying` |" in table
    assert "| copying | cp | ≤ 1 | 1.5 | **missed** |" in table
    assert table.startswith("1 of 2 targets are met.")


def test_the_page_holds_the_results_that_lie_beside_it() -> None:
    page = results.PAGE.read_text(encoding="utf-8")
    assert page == results.page_with(page, results.table(results.load())), "run: .venv/bin/python -m benchmarks.results"


def test_a_page_without_its_marks_is_not_guessed_at() -> None:
    with pytest.raises(ValueError, match="has no part between"):
        results.page_with("# Performance\n", "table")


def test_every_result_is_of_a_benchmark_that_can_be_run() -> None:
    assert set(results.load()) <= {*BENCHMARKS, *BY_NAME_ALONE}
    for rows in results.load().values():
        for module in [re.fullmatch(r".*-m (benchmarks\.\w+)( .*)?", each.command) for each in rows]:
            assert module is not None
            assert importlib.util.find_spec(module[1])
