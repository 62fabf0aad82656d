"""The poll schedule: whole seconds, never beyond the deadline, few polls, little delay."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wanflow.polling import EARLY_LOOK_SECONDS, MAX_WAIT_SECONDS, PollSchedule, full_jitter, phase_of
from wanflow.render_times import BINS, RenderTimes, lognormal_masses

TYPICAL = PollSchedule(150)
FAR = 10**6

typical_times = st.floats(min_value=1, max_value=3600)
phases = st.floats(min_value=0, max_value=1, exclude_max=True)
# Whatever an item may hold that counts as counts: nothing, one bin, all bins, nearly nothing, too much.
counts = st.dictionaries(
    st.integers(0, BINS - 1).map(str), st.sampled_from([0.0, 1e-9, 0.5, 1.0, 50.0, 400.0]), max_size=BINS
)
schedules = st.builds(
    lambda typical, numbers: PollSchedule(typical, RenderTimes.of_numbers(numbers)), typical_times, counts
)
# Clocks here tick in milliseconds.
elapsed_times = st.integers(min_value=0, max_value=100_000_000).map(lambda milliseconds: milliseconds / 1000)


def poll_times(schedule: PollSchedule, until: float, deadline: float = FAR, phase: float = 0.5) -> list[int]:
    """When a task submitted at 0 is asked for, until a poll comes at or after `until`."""
    times: list[int] = []
    now = 0
    while now < until and now < deadline:
        now += schedule.wait_seconds(now, deadline - now, phase=phase)
        times.append(now)
    return times


def well_known(jobs: float, median: float = 150, sigma: float = 0.5) -> RenderTimes:
    return RenderTimes(tuple(jobs * mass for mass in lognormal_masses(median, sigma)))


@given(schedules, elapsed_times, st.floats(min_value=-100, max_value=100_000), st.none() | st.integers(0, 3600), phases)
def test_a_wait_is_whole_seconds_from_1_on(
    schedule: PollSchedule, elapsed: float, remaining: float, retry_after: int | None, phase: float
) -> None:
    wait = schedule.wait_seconds(elapsed, remaining, retry_after, phase=phase)
    assert type(wait) is int
    assert wait >= 1


@given(
    schedules, elapsed_times, st.floats(min_value=0.001, max_value=100_000), st.none() | st.integers(0, 3600), phases
)
def test_no_wait_goes_beyond_the_deadline(
    schedule: PollSchedule, elapsed: float, remaining: float, retry_after: int | None, phase: float
) -> None:
    wait = schedule.wait_seconds(elapsed, remaining, retry_after, phase=phase)
    assert wait <= max(1, math.ceil(remaining))


@given(schedules, elapsed_times, st.integers(0, 3600), phases)
def test_retry_after_is_respected(schedule: PollSchedule, elapsed: float, retry_after: int, phase: float) -> None:
    assert schedule.wait_seconds(elapsed, FAR, retry_after, phase=phase) >= retry_after


@given(schedules, elapsed_times, phases)
def test_no_wait_is_longer_than_two_minutes_on_its_own(schedule: PollSchedule, elapsed: float, phase: float) -> None:
    assert schedule.wait_seconds(elapsed, FAR, phase=phase) <= MAX_WAIT_SECONDS
    assert 1 <= schedule.news_in_seconds(elapsed, phase=phase) <= MAX_WAIT_SECONDS


@settings(max_examples=30)
@given(schedules, st.integers(min_value=60, max_value=4000), phases)
def test_the_deadline_gets_a_poll_of_its_own(schedule: PollSchedule, deadline: int, phase: float) -> None:
    assert poll_times(schedule, until=FAR, deadline=deadline, phase=phase)[-1] == deadline


@given(phases, st.sampled_from([0, 1, 10, 50, 99]), st.sampled_from([0.25, 0.5]))
def test_a_5_second_job_is_noticed_within_10_seconds_until_a_hundred_jobs_say_that_there_is_none(
    phase: float, jobs: int, sigma: float
) -> None:
    schedule = PollSchedule(150, well_known(jobs, sigma=sigma))
    assert poll_times(schedule, until=5, phase=phase)[0] <= EARLY_LOOK_SECONDS[1] <= 15


def test_of_a_kind_that_never_ends_early_one_job_in_twenty_is_still_looked_at_early() -> None:
    schedule = PollSchedule(150, well_known(300))
    early = [poll_times(schedule, until=1, phase=i / 1000)[0] <= 15 for i in range(1000)]
    assert sum(early) == 50


def test_one_job_that_ended_early_brings_the_early_look_back_for_all() -> None:
    times = well_known(150).observe(0, 12, 150)
    assert all(poll_times(PollSchedule(150, times), until=1, phase=i / 20)[0] <= 15 for i in range(20))


def test_a_kind_that_does_end_early_now_and_then_is_always_looked_at_early() -> None:
    times = RenderTimes(
        tuple(a + b for a, b in zip(well_known(300).counts, well_known(6, median=5).counts, strict=True))
    )
    assert all(poll_times(PollSchedule(150, times), until=1, phase=i / 20)[0] <= 15 for i in range(20))


@given(schedules, phases)
def test_the_next_poll_does_not_depend_on_how_late_the_last_one_came(schedule: PollSchedule, phase: float) -> None:
    """So lateness never adds up: whoever asks a second later waits a second less."""
    times = [t for t in poll_times(schedule, until=500, phase=phase) if t < 500]
    for now, after in itertools.pairwise(times):
        if after - now >= 8:
            late = now + 1 + schedule.wait_seconds(now + 1, FAR, phase=phase)
            assert abs(late - after) <= 1 or late > after


def test_jobs_that_begin_together_are_not_asked_for_together() -> None:
    schedule = PollSchedule(150, well_known(300))
    firsts = {poll_times(schedule, until=1, phase=phase_of(f"vid_{n}"))[0] for n in range(100)}
    assert len(firsts) >= 5


def test_the_caller_is_told_to_come_just_after_the_next_poll() -> None:
    times = poll_times(TYPICAL, until=300)
    for before, after in itertools.pairwise(times):
        if after - before >= 8:
            assert before + 4 + TYPICAL.news_in_seconds(before + 4) == pytest.approx(after + 3, abs=1)


def test_a_call_looks_at_each_bin_a_few_times_and_only_the_first_call_does() -> None:
    """The distribution is laid out once; then a call is two searches among its bins."""
    schedule = PollSchedule(150, well_known(50))
    schedule.wait_seconds(0, FAR)
    laid_out = dict(vars(schedule))
    schedule.wait_seconds(100, FAR)
    assert vars(schedule).keys() == laid_out.keys()
    assert all(len(value) <= BINS + 1 for value in laid_out.values() if isinstance(value, list | tuple))


def test_a_600_second_job_takes_at_most_40_polls() -> None:
    assert len(poll_times(TYPICAL, until=600)) <= 40


@pytest.mark.parametrize("render_seconds", [60, 100, 150, 200, 300])
def test_a_usual_job_is_noticed_soon(render_seconds: int) -> None:
    times = poll_times(TYPICAL, until=render_seconds)
    assert times[-1] - render_seconds <= 30
    assert len(times) <= 25


def test_a_local_job_of_3_seconds_is_noticed_within_15_where_the_prior_says_so() -> None:
    assert poll_times(PollSchedule(3), until=3)[-1] <= 15


@given(schedules, st.lists(elapsed_times, min_size=2, max_size=10))
def test_progress_only_grows_and_never_claims_the_end(schedule: PollSchedule, times: list[float]) -> None:
    guesses = [schedule.progress(elapsed) for elapsed in sorted(times)]
    assert guesses == sorted(guesses)
    assert all(0 <= guess <= 95 for guess in guesses)


def test_progress_begins_with_nothing() -> None:
    assert TYPICAL.progress(0) == 0
    assert TYPICAL.progress(-5) == 0


@given(
    st.integers(min_value=0, max_value=100),
    st.floats(min_value=0, max_value=1, exclude_max=True),
    st.sampled_from([2, 5]),
    st.sampled_from([60, 300]),
)
def test_backoff_is_whole_seconds_between_1_and_its_cap(tries: int, random: float, base: float, cap: float) -> None:
    wait = full_jitter(tries, lambda: random, base_seconds=base, cap_seconds=cap)
    assert type(wait) is int
    assert 1 <= wait <= cap


def test_backoff_doubles_with_every_try_up_to_its_cap() -> None:
    longest = [full_jitter(tries, lambda: 0.999999) for tries in range(8)]
    assert longest == [2, 4, 8, 16, 32, 60, 60, 60]


def test_backoff_uses_its_whole_range() -> None:
    assert full_jitter(4, lambda: 0.0) == 1
    assert full_jitter(4, lambda: 0.5) == 16
