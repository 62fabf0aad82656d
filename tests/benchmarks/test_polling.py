"""What the poll benchmark compares with: the optimum is one, and the others are what their names say."""

from itertools import combinations

import numpy as np
import pytest

from benchmarks import poll_optimum
from benchmarks.poll_optimum import HORIZON_SECONDS, Means, Mixture, Optimum, best_moments, doubling, fixed, means, sdk
from benchmarks.polling import MAIN, after, judge, known, learning, moments
from wanflow.polling import PollSchedule

pytestmark = pytest.mark.xdist_group("polling")
"""The optimum takes seconds to find."""

NARROW = Mixture("test", ((0.5, 4, 0.3), (0.5, 9, 0.2)))


@pytest.fixture(scope="module")
def best() -> Optimum:
    return Optimum(MAIN.ended)


def test_a_poll_every_10_seconds_sees_a_task_of_25_seconds_5_late() -> None:
    ended = np.zeros(HORIZON_SECONDS + 1)
    ended[25:] = 1
    reached = means(ended, fixed(10))
    assert reached.polls == 3
    # Half a second more: within the second in which it ends, the share grows evenly.
    assert reached.delay_seconds == pytest.approx(5.5)


def test_no_other_choice_of_moments_is_better_than_the_optimum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll_optimum, "HORIZON_SECONDS", 14)
    ended = NARROW.ended / NARROW.ended[-1]

    def cost(chosen: tuple[int, ...]) -> float:
        reached = means(ended, chosen)
        return 0.7 * reached.polls + reached.delay_seconds

    every = [chosen for count in range(14) for chosen in combinations(range(1, 14), count)]
    assert cost(tuple(best_moments(ended, 0.7))) == pytest.approx(min(map(cost, every)))


@pytest.mark.parametrize(("polls", "delay"), [(6, 10.6), (8, 7.8), (12, 5.2)])
def test_the_optimum_of_the_main_case_is_the_known_one(best: Optimum, polls: float, delay: float) -> None:
    assert best.delay_seconds(polls) == pytest.approx(delay, abs=0.05)


def test_beyond_what_was_computed_there_is_no_figure(best: Optimum) -> None:
    with pytest.raises(ValueError, match="known from"):
        best.delay_seconds(1000)


@pytest.mark.parametrize(("schedule", "ratio"), [(fixed(15), 1.43), (sdk(), 1.58), (doubling(), 4.0)])
def test_the_ratios_of_the_others_are_the_known_ones(best: Optimum, schedule: list[int], ratio: float) -> None:
    assert best.ratio(means(MAIN.ended, schedule)) == pytest.approx(ratio, abs=0.05)


@pytest.mark.parametrize(
    ("schedule", "polls", "delay"), [(fixed(15), 11.8, 7.5), (sdk(), 38.5, 2.5), (doubling(), 8.3, 30)]
)
def test_the_others_do_what_was_measured_of_them(schedule: list[int], polls: float, delay: float) -> None:
    reached = means(MAIN.ended, schedule)
    assert reached == Means(pytest.approx(polls, abs=0.05), pytest.approx(delay, abs=0.1))  # type: ignore[arg-type]


def test_the_schedule_reaches_its_targets_where_the_distribution_is_known(best: Optimum) -> None:
    reached = judge(MAIN, PollSchedule(150, known(MAIN)))
    assert best.ratio(reached) <= 1.10
    assert reached.polls <= 9
    assert reached.delay_seconds <= 8


def test_learning_is_from_what_the_polls_saw_and_the_same_for_the_same_seed() -> None:
    assert after(12, MAIN, seed=3) == after(12, MAIN, seed=3)
    assert after(12, MAIN, seed=3) != after(12, MAIN, seed=4)
    assert next(learning(MAIN, seed=3)).jobs == 0
    assert after(12, MAIN, seed=3).jobs == pytest.approx(12, rel=0.05)


def test_moments_end_with_the_first_poll_that_sees_the_end() -> None:
    found = moments(PollSchedule(150), 0.5, until=100)
    assert found == sorted(found)
    assert found[-2] < 100 <= found[-1]
