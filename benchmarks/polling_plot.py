"""Draws docs/images/polling.svg: `.venv/bin/python -m benchmarks.polling_plot`. Deterministic; about half a minute.

Left: delay against polls where the distribution is known (median 150 s, sigma 0.5). Right: how the schedule gets better
while it learns.
"""

from __future__ import annotations

import statistics

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from benchmarks.poll_optimum import Mixture, Optimum, doubling, fixed, means, sdk
from benchmarks.polling import MAIN, OTHERS, TYPICAL_SECONDS, judge, known, learning
from benchmarks.results import ROOT
from wanflow import polling
from wanflow.polling import PollSchedule

IMAGE = ROOT / "docs" / "images" / "polling.svg"
CHECKPOINTS = (0, 1, 2, 3, 5, 10, 20, 35, 50, 75, 100, 150, 200, 400)
SEEDS = 8
INTERVALS = (5, 10, 15, 20, 30, 45, 60)


def main() -> None:
    mpl.rcParams.update({"svg.hashsalt": "wanflow", "svg.fonttype": "none", "font.size": 9, "axes.grid": True})
    mpl.rcParams.update({"grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False})
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained")
    draw_trade(left)
    draw_learning(right)
    IMAGE.parent.mkdir(exist_ok=True)
    figure.savefig(IMAGE, metadata={"Date": None})
    print(IMAGE.relative_to(ROOT))


def draw_trade(axes: Axes) -> None:
    best, ended = Optimum(MAIN.ended), MAIN.ended
    seen = (best.polls > 3) & (best.polls < 50)
    axes.plot(best.polls[seen], best.delays[seen], color="black", label="optimum (dynamic programming)")
    ours = [judge(MAIN, PollSchedule(TYPICAL_SECONDS, known(MAIN)))]
    axes.plot(*_curve_of_ours(), color="tab:blue", linestyle="--", linewidth=1, label="ours, other values of a poll")
    axes.plot([ours[0].polls], [ours[0].delay_seconds], "o", color="tab:blue", markersize=8, label="ours")
    every = [means(ended, fixed(seconds)) for seconds in INTERVALS]
    axes.plot(
        [m.polls for m in every], [m.delay_seconds for m in every], "s-", color="tab:gray", label="fixed interval"
    )
    for seconds, reached in zip(INTERVALS, every, strict=True):
        axes.annotate(f"{seconds} s", (reached.polls, reached.delay_seconds), (4, 4), textcoords="offset points")
    others = {"dashscope SDK": (sdk(), "tab:red", "^"), "2^n up to 60 s": (doubling(), "tab:orange", "v")}
    for name, (when, colour, marker) in others.items():
        reached = means(ended, when)
        axes.plot([reached.polls], [reached.delay_seconds], marker, color=colour, markersize=8, label=name)
    axes.set(xscale="log", yscale="log", xlabel="polls, mean", ylabel="delay until the end is seen, mean, s")
    axes.set_title("Known distribution: median 150 s, sigma 0.5")
    axes.set_xticks([3, 5, 10, 20, 40], ["3", "5", "10", "20", "40"])
    axes.set_yticks([2, 5, 10, 20, 30], ["2", "5", "10", "20", "30"])
    axes.minorticks_off()
    axes.legend()


def _curve_of_ours() -> tuple[list[float], list[float]]:
    """What our schedule would do if a poll were worth less or more."""
    chosen, found = polling.POLL_WORTH_SECONDS, []
    try:
        for worth in np.geomspace(0.07, 5, 12):
            polling.POLL_WORTH_SECONDS = float(worth)
            found.append(judge(MAIN, PollSchedule(TYPICAL_SECONDS, known(MAIN))))
    finally:
        polling.POLL_WORTH_SECONDS = chosen
    return [m.polls for m in found], [m.delay_seconds for m in found]


def draw_learning(axes: Axes) -> None:
    for mixture, colour in zip((MAIN, *OTHERS), ("tab:blue", "tab:green", "tab:purple", "tab:brown"), strict=True):
        axes.plot([max(n, 0.7) for n in CHECKPOINTS], _ratios(mixture), ".-", color=colour, label=mixture.name)
    axes.axhline(1.3, color="tab:red", linewidth=1, linestyle=":")
    axes.axvline(50, color="tab:red", linewidth=1, linestyle=":")
    axes.set(
        xscale="log", ylim=(1, None), xlabel="finished jobs of this kind", ylabel="delay ÷ optimum at as many polls"
    )
    axes.set_xticks([0.7, 1, 10, 50, 100, 400], ["0", "1", "10", "50", "100", "400"])
    axes.minorticks_off()
    axes.set_title(f"Learning from its own polls (mean of {SEEDS})")
    axes.legend()


def _ratios(mixture: Mixture) -> list[float]:
    best = Optimum(mixture.ended)
    each = []
    for seed in range(SEEDS):
        known_then = (times for n, times in enumerate(learning(mixture, seed)) if n in CHECKPOINTS)
        each.append([best.ratio(judge(mixture, PollSchedule(TYPICAL_SECONDS, next(known_then)))) for _ in CHECKPOINTS])
    return [statistics.fmean(ratios) for ratios in zip(*each, strict=True)]


if __name__ == "__main__":
    main()
