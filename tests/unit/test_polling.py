"""The poll schedule: whole seconds, never beyond the deadline, few polls, little delay."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wanflow.polling import PollSchedule, full_jitter

TYPICAL = PollSchedule(150)
FAR = 10**6

typical_times = st.floats(min_value=1, max_value=3600)
# Clocks here tick in milliseconds.
elapsed_times = st.integers(min_value=0, max_value=100_000_000).map(lambda milliseconds: milliseconds / 1000)


def poll_times(schedule: PollSchedule, until: float, deadline: float = FAR) -> list[int]:
    """When a task submitted at 0 is asked for, until a poll comes at or after `until`."""
    times: list[int] = []
    now = 0
    while now < until and now < deadline:
        now += schedule.wait_seconds(now, deadline - now)
        times.append(now)
    return times


@given(typical_times, elapsed_times, st.floats(min_value=-100, max_value=100_000), st.none() | st.integers(0, 3600))
def test_a_wait_is_whole_seconds_from_1_on(
    typical: float, elapsed: float, remaining: float, retry_after: int | None
) -> None:
    wait = PollSchedule(typical).wait_seconds(elapsed, remaining, retry_after)
    assert type(wait) is int
    assert wait >= 1


@given(typical_times, elapsed_times, st.floats(min_value=0.001, max_value=100_000), st.none() | st.integers(0, 3600))
def test_no_wait_goes_beyond_the_deadline(
    typical: float, elapsed: float, remaining: float, retry_after: int | None
) -> None:
    assert PollSchedule(typical).wait_seconds(elapsed, remaining, retry_after) <= max(1, math.ceil(remaining))


@given(typical_times, elapsed_times, st.integers(0, 3600))
def test_retry_after_is_respected(typical: float, elapsed: float, retry_after: int) -> None:
    assert PollSchedule(typical).wait_seconds(elapsed, FAR, retry_after) >= retry_after


@given(typical_times, elapsed_times)
def test_no_wait_is_longer_than_a_minute_on_its_own(typical: float, elapsed: float) -> None:
    assert PollSchedule(typical).wait_seconds(elapsed, FAR) <= 60


@settings(max_examples=30)
@given(typical_times, st.integers(min_value=60, max_value=4000))
def test_the_deadline_gets_a_poll_of_its_own(typical: float, deadline: int) -> None:
    assert poll_times(PollSchedule(typical), until=FAR, deadline=deadline)[-1] == deadline


def test_a_5_second_job_is_noticed_within_10_seconds() -> None:
    assert poll_times(TYPICAL, until=5)[-1] <= 15


def test_a_600_second_job_takes_at_most_40_polls() -> None:
    assert len(poll_times(TYPICAL, until=600)) <= 40


@pytest.mark.parametrize("render_seconds", [60, 100, 150, 200, 300])
def test_a_usual_job_is_noticed_soon(render_seconds: int) -> None:
    times = poll_times(TYPICAL, until=render_seconds)
    assert times[-1] - render_seconds <= 30
    assert len(times) <= 25


def test_a_local_job_of_3_seconds_is_noticed_within_15_where_the_prior_says_so() -> None:
    assert poll_times(PollSchedule(3), until=3)[-1] <= 15


@given(typical_times, st.lists(elapsed_times, min_size=2, max_size=10))
def test_progress_only_grows_and_never_claims_the_end(typical: float, times: list[float]) -> None:
    guesses = [PollSchedule(typical).progress(elapsed) for elapsed in sorted(times)]
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
