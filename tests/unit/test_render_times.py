"""What is learned of how long tasks take: from intervals, with a prior, forgetting slowly, whatever the item holds."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wanflow.pricing import TIER_OF_SIZE
from wanflow.render_times import BINS, EDGES, REMEMBERED_JOBS, RenderTimes, kind_of, lognormal_masses

NEW = RenderTimes()
seconds = st.floats(min_value=0, max_value=1e7)
intervals = st.tuples(seconds, seconds).map(sorted)


def learned(*ends: tuple[float, float], times: RenderTimes = NEW) -> RenderTimes:
    for after, by in ends:
        times = times.observe(after, by, 150)
    return times


def chance(times: RenderTimes, low: float, high: float) -> float:
    """Of an end in the bins that lie within the two."""
    masses = times.masses(150)
    return math.fsum(m for m, a, b in zip(masses, EDGES, EDGES[1:], strict=False) if a >= low and b <= high)


def request(**parts: Any) -> dict[str, Any]:
    urls = parts.pop("urls", ["https://example.com/a.png"])
    return {"input": {"reference_urls": urls}, "parameters": {"size": "1280*720", "duration": 5, **parts}}


@given(st.lists(intervals, max_size=8), st.floats(min_value=1, max_value=3600))
def test_chances_are_chances_whatever_was_seen(ends: list[list[float]], typical: float) -> None:
    times = NEW
    for after, by in ends:
        times = times.observe(after, by, typical)
    masses = times.masses(typical)
    assert len(masses) == BINS
    assert all(0 <= mass <= 1 for mass in masses)
    assert math.fsum(masses) == pytest.approx(1)


@given(intervals)
def test_a_job_counts_as_one_within_its_interval(ends: list[float]) -> None:
    times = NEW.observe(*ends, 150)
    assert times.jobs == pytest.approx(1)
    inside = [i for i, count in enumerate(times.counts) if count > 0]
    assert EDGES[inside[0]] <= ends[1] + 0.001
    assert EDGES[inside[-1] + 1] >= min(ends[0], EDGES[-2])


def test_before_anything_was_seen_most_is_expected_within_the_documented_one_to_five_minutes() -> None:
    assert chance(NEW, 50, 320) > 0.8
    assert chance(NEW, 0, 16) > 0


@settings(max_examples=20)
@given(st.sampled_from([20, 60, 300, 900]), st.integers(1, 30))
def test_every_job_that_ends_there_makes_an_end_there_more_likely(end: int, jobs: int) -> None:
    times, before = NEW, chance(NEW, end / 1.5, end * 1.5)
    for _ in range(jobs):
        times = times.observe(end - 5, end + 5, 150)
        now = chance(times, end / 1.5, end * 1.5)
        assert now >= before - 1e-9
        before = now


def test_two_humps_are_seen_as_two() -> None:
    times = learned(*[(55, 65), (290, 310)] * 25)
    assert chance(times, 40, 90) > 0.4
    assert chance(times, 200, 440) > 0.4
    assert chance(times, 105, 190) < 0.05


def test_a_wide_interval_follows_what_is_known_and_not_its_middle() -> None:
    """Jobs seen only as "before 300 s" do not pile up at 150 when all others end near 60."""
    times = learned(*[(55, 65)] * 40, *[(0, 300)] * 10)
    assert chance(times, 45, 77) > 0.8


def test_old_jobs_are_forgotten_when_the_provider_gets_faster() -> None:
    times = learned(*[(295, 305)] * 1000)
    assert times.jobs <= REMEMBERED_JOBS
    times = learned(*[(28, 32)] * 1000, times=times)
    assert chance(times, 20, 45) > 0.85


@given(st.lists(intervals, max_size=5))
def test_what_is_stored_is_read_again_and_stays_small(ends: list[list[float]]) -> None:
    times = learned(*[(after, by) for after, by in ends])
    numbers = times.as_numbers()
    assert len(str(numbers)) < 2000
    assert RenderTimes.of_numbers(numbers).counts == pytest.approx(times.counts, abs=0.001)


@pytest.mark.parametrize(
    "numbers",
    [
        {"-1": 1.0},
        {str(BINS): 1.0},
        {"x": 1.0},
        {"": 1.0},
        {"1": -1.0},
        {"1": float("nan")},
        {"1": float("inf")},
        {"1": 1e9},
        {"1": "1"},
        {"1": True},
        {"1": None},
    ],
)
def test_what_holds_no_counts_is_refused(numbers: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="bin"):
        RenderTimes.of_numbers(numbers)


def test_too_many_jobs_count_as_many_as_can_be_forgotten() -> None:
    assert RenderTimes.of_numbers({str(i): 400.0 for i in range(BINS)}).jobs == pytest.approx(REMEMBERED_JOBS)


def test_a_lognormal_distribution_is_cut_into_bins_whole() -> None:
    masses = lognormal_masses(150, 0.5)
    assert math.fsum(masses) == pytest.approx(1)
    below = math.fsum(m for m, edge in zip(masses, EDGES[1:], strict=True) if edge <= 128)
    assert below == pytest.approx(0.5 * math.erfc(-math.log(128 / 150) / (0.5 * math.sqrt(2))))


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        ({}, "720P-5s-images"),
        ({"duration": 2}, "720P-5s-images"),
        ({"duration": 6}, "720P-10s-images"),
        ({"duration": 15}, "720P-15s-images"),
        ({"size": "1920*1080"}, "1080P-5s-images"),
        ({"urls": ["https://example.com/a.png", "https://example.com/b.MP4?sign=c.png"]}, "720P-5s-video"),
        ({"urls": ["s3://bucket/uploads/o/clip.mov"]}, "720P-5s-video"),
        ({"urls": ["https://example.com/no-ending", "https://example.com/?f=x.mp4"]}, "720P-5s-images"),
    ],
)
def test_a_kind_is_tier_seconds_and_whether_a_reference_is_a_video(parts: dict[str, Any], kind: str) -> None:
    assert kind_of(request(**parts)) == kind


def test_there_are_twelve_kinds() -> None:
    urls = (["https://example.com/a.png"], ["https://example.com/a.mp4"])
    kinds = {
        kind_of(request(size=size, duration=duration, urls=u))
        for size in TIER_OF_SIZE
        for duration in range(2, 16)
        for u in urls
    }
    assert len(kinds) == 12
