"""The figures of a benchmark as files and as tables.

A benchmark ends by `save`: a list of rows goes to benchmarks/results/NAME.json, and the table of all of them into
docs/performance.md. `python -m benchmarks.results` writes the table alone, without measuring anything.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- results: begin -->\n", "<!-- results: end -->"


@dataclass(frozen=True)
class Row:
    """One figure.

    `ratio`: the figure divided by that of `baseline`, which was measured in the same run or is a fixed amount, such as
    a price or a size. `target`: the ratio to reach, None where the figure is told for comparison only. `better`: which
    way is good. `command`: what anyone can run to see it.
    """

    name: str
    ratio: float
    target: float | None
    better: Literal["lower", "higher"]
    baseline: str
    command: str

    def __post_init__(self) -> None:
        """Raises ValueError for a figure that no table can hold."""
        if self.better not in {"lower", "higher"}:
            raise ValueError(f"better must be lower or higher, not {self.better!r}")
        if not 0 <= self.ratio < float("inf"):
            raise ValueError(f"{self.name}: ratio must be a number from 0 on, not {self.ratio}")

    @property
    def verdict(self) -> str:
        """`met`, `missed`, or nothing when there is no target."""
        if self.target is None:
            return ""
        met = self.ratio <= self.target if self.better == "lower" else self.ratio >= self.target
        return "met" if met else "missed"


def command(module: str) -> str:
    """How a benchmark is run alone: of its `__spec__.name`, or its name in this folder."""
    return f".venv/bin/python -m benchmarks.{module.removeprefix('benchmarks.')}"


def save(name: str, rows: list[Row], folder: Path = RESULTS) -> None:
    """Write the rows to `folder`/`name`.json in place of what was there, print them, bring the page up to date."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    print(f"\n{'':56}{'ratio':>9}{'target':>11}")
    for row in rows:
        print(f"{row.name:56}{_figure(row.ratio):>9}{_target(row):>11}  {row.verdict}".rstrip())
    if folder == RESULTS:
        write_page()


def load(folder: Path = RESULTS) -> dict[str, list[Row]]:
    """All rows, by the name of their benchmark, in the order of the names."""
    files = sorted(folder.glob("*.json"))
    return {file.stem: [Row(**row) for row in json.loads(file.read_text(encoding="utf-8"))] for file in files}


def table(results: dict[str, list[Row]]) -> str:
    """The page's two Markdown tables: what has a target, and what is told for comparison."""
    rows = [row for part in results.values() for row in part]
    targets = [row for row in rows if row.target is not None]
    others = [row for row in rows if row.target is None]
    met = sum(row.verdict == "met" for row in targets)
    return "\n".join(
        [
            f"{met} of {len(targets)} targets are met.",
            "",
            "| what | ratio to | target | measured | verdict | command |",
            "|---|---|---|---|---|---|",
            *(
                f"| {row.name} | {row.baseline} | {_target(row)} | {_figure(row.ratio)} | {_emphasized(row.verdict)} "
                f"| `{row.command}` |"
                for row in targets
            ),
            "",
            "For comparison:",
            "",
            "| what | ratio to | measured | command |",
            "|---|---|---|---|",
            *(f"| {row.name} | {row.baseline} | {_figure(row.ratio)} | `{row.command}` |" for row in others),
            "",
        ]
    )


def _emphasized(verdict: str) -> str:
    return f"**{verdict}**" if verdict == "missed" else verdict


def page_with(text: str, generated: str) -> str:
    """The page with its generated part replaced.

    Raises ValueError when the page has lost one of the two marks.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} has no part between {BEGIN.strip()} and {END}")
    return f"{before}{BEGIN}\n{generated}\n{END}{after}"


def write_page() -> None:
    """Bring the tables of docs/performance.md up to date."""
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(page_with(text, table(load())), encoding="utf-8")


def _target(row: Row) -> str:
    if row.target is None:
        return ""
    return f"{'≤' if row.better == 'lower' else '≥'} {_figure(row.target)}"


def _figure(value: float) -> str:
    """Three significant digits."""
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


if __name__ == "__main__":
    write_page()
