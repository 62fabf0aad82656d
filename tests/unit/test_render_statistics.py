"""The statistics in the table: read seldom, written now and then, each job once, and never in a job's way."""

import json
import logging
from decimal import Decimal
from typing import Any

import pytest

from tests.fakes import FakeClock
from tests.guarantees.dynamo import FastTable, refuse
from tests.template import Template
from wanflow.items import typed, untyped
from wanflow.jobs import EndSeen, Job, Source
from wanflow.render_statistics import REREAD_SECONDS, RenderStatistics

FAR = 10**6
KEY = ("render_times#720P-5s-images", "render_times")
REQUEST = {
    "model": "wan26_r2v",
    "input": {"prompt": "character1", "reference_urls": ["https://example.com/a.png"]},
    "parameters": {"size": "1280*720", "duration": 5},
}
A_JOB = Job(
    id="vid_0",
    owner="alice",
    status="completed",
    created_at="2026-01-31T12:00:00.000Z",
    updated_at="2026-01-31T12:00:00.000Z",
    fingerprint="",
    request=REQUEST,
    estimate_usd=Decimal(1),
    source=Source("api"),
    metadata={},
    end_seen=EndSeen(290, 300),
)


class CountingTable(FastTable):
    """Counts reads and writes, and can be made to fail or to be slower than somebody else."""

    def __init__(self) -> None:
        super().__init__(Template(WanApiBaseUrl="http://wan.mock").properties("JobsTable"))
        self.reads = 0
        self.writes = 0
        self.fault: str | None = None
        self.before_write: Any = None

    def get_item(self, **request: Any) -> dict[str, Any]:
        self.reads += 1
        self._break("GetItem")
        return super().get_item(**request)

    def put_item(self, **request: Any) -> dict[str, Any]:
        self.writes += 1
        self._break("PutItem")
        if self.before_write:
            act, self.before_write = self.before_write, None
            act()
        return super().put_item(**request)

    def _break(self, operation: str) -> None:
        if self.fault:
            refuse(self.fault, operation)


@pytest.fixture
def table() -> CountingTable:
    return CountingTable()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def statistics(table: CountingTable, clock: FakeClock) -> RenderStatistics:
    def monotonic() -> float:
        return clock.now.timestamp()

    return RenderStatistics(
        lambda: table,  # type: ignore[arg-type, return-value]
        "jobs",
        typical_seconds=150,
        clock=clock,
        monotonic=monotonic,
    )


def learn(statistics: RenderStatistics, clock: FakeClock, jobs: int, first: int = 0) -> None:
    for number in range(first, first + jobs):
        statistics.learn(A_JOB._replace(id=f"vid_{number}"))
        clock.advance(60)


def counted(table: CountingTable) -> float:
    return sum(json.loads(untyped(table.items[KEY])["counts"]).values())


def first_polls(statistics: RenderStatistics) -> list[int]:
    """When a job would be asked for, after the early look."""
    schedule, times = statistics.schedule(A_JOB), [14]
    while times[-1] < 280:
        times.append(times[-1] + schedule.wait_seconds(times[-1], FAR))
    return times


def test_what_was_seen_changes_the_schedule_of_the_same_kind_alone(
    statistics: RenderStatistics, table: CountingTable, clock: FakeClock
) -> None:
    before = first_polls(statistics)
    learn(statistics, clock, 30)
    assert counted(table) == pytest.approx(30, rel=0.05)
    after = first_polls(statistics)
    assert len(after) < len(before)
    other = A_JOB._replace(request={**REQUEST, "parameters": {"size": "1920*1080", "duration": 5}})
    assert statistics.schedule(other).progress(200) > statistics.schedule(A_JOB).progress(200)


def test_a_schedule_is_read_once_for_each_kind_and_time(
    statistics: RenderStatistics, table: CountingTable, clock: FakeClock
) -> None:
    for _ in range(50):
        statistics.schedule(A_JOB)
        clock.advance(REREAD_SECONDS / 100)
    assert table.reads == 1
    clock.advance(REREAD_SECONDS)
    statistics.schedule(A_JOB)
    assert table.reads == 2


def test_a_job_costs_one_read_and_one_write(statistics: RenderStatistics, table: CountingTable) -> None:
    statistics.learn(A_JOB)
    assert (table.reads, table.writes) == (1, 1)
    assert len(json.dumps(table.items[KEY])) < 1000


def test_a_job_that_ends_twice_counts_once(
    statistics: RenderStatistics, table: CountingTable, clock: FakeClock
) -> None:
    learn(statistics, clock, 10)
    before = table.items[KEY]
    learn(statistics, clock, 10)
    assert table.items[KEY] == before


def test_jobs_that_end_in_the_same_second_are_sampled(
    statistics: RenderStatistics, table: CountingTable, clock: FakeClock
) -> None:
    for number in range(100):
        statistics.learn(A_JOB._replace(id=f"vid_{number}"))
        clock.advance(0.1)
    assert 9 <= table.writes <= 10


def test_of_two_that_write_at_once_one_counts_and_none_is_lost_or_doubled(
    statistics: RenderStatistics, table: CountingTable, clock: FakeClock
) -> None:
    learn(statistics, clock, 5)
    table.before_write = lambda: statistics.learn(A_JOB._replace(id="vid_faster"))
    statistics.learn(A_JOB._replace(id="vid_slower"))
    item = untyped(table.items[KEY])
    assert item["last_jobs"][-1] == "vid_faster"
    assert counted(table) == pytest.approx(6, rel=0.01)


def test_the_very_first_two_at_once_do_not_overwrite_each_other(
    statistics: RenderStatistics, table: CountingTable
) -> None:
    table.before_write = lambda: statistics.learn(A_JOB._replace(id="vid_faster"))
    statistics.learn(A_JOB._replace(id="vid_slower"))
    assert untyped(table.items[KEY])["last_jobs"] == ["vid_faster"]


def test_a_job_whose_end_nobody_saw_costs_nothing(statistics: RenderStatistics, table: CountingTable) -> None:
    statistics.learn(A_JOB._replace(end_seen=None))
    assert (table.reads, table.writes) == (0, 0)


@pytest.mark.parametrize("fault", ["AccessDeniedException", "ThrottlingException", "InternalServerError"])
def test_a_table_that_fails_never_stands_in_a_jobs_way_and_is_logged(
    statistics: RenderStatistics, table: CountingTable, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    table.fault = fault
    with caplog.at_level(logging.INFO, "wanflow"):
        assert statistics.schedule(A_JOB).wait_seconds(0, FAR) <= 15
        statistics.learn(A_JOB)
    assert [record.message for record in caplog.records] == ["render times not read", "render time not counted"]
    assert all(record.levelno == logging.ERROR for record in caplog.records)


def test_a_failed_read_is_tried_again_by_the_next_job(statistics: RenderStatistics, table: CountingTable) -> None:
    table.fault = "ThrottlingException"
    statistics.schedule(A_JOB)
    table.fault = None
    statistics.schedule(A_JOB)
    statistics.schedule(A_JOB)
    assert table.reads == 2


@pytest.mark.parametrize(
    "spoiled",
    [
        {},
        {"counts": "{}"},
        {"counts": "not JSON"},
        {"counts": "[1, 2]"},
        {"counts": '{"3": "many"}'},
        {"counts": '{"3": NaN}'},
        {"counts": 5},
        {"last_jobs": 5},
        {"updated_at": "yesterday"},
        {"updated_at": "2026-01-31T12:00:00"},
        {"updated_at": 5},
        {"version": "seven"},
    ],
)
def test_a_spoiled_item_counts_as_nothing_and_is_replaced(
    statistics: RenderStatistics, table: CountingTable, clock: FakeClock, spoiled: dict[str, Any]
) -> None:
    sound = {"counts": '{"30": 400.0}', "last_jobs": [], "updated_at": "2026-01-31T11:00:00.000Z", "version": 7}
    item = {"pk": KEY[0], "sk": KEY[1], **(sound | spoiled if spoiled else {})}
    table.items[KEY] = typed(item)
    assert statistics.schedule(A_JOB).wait_seconds(0, FAR) >= 1
    learn(statistics, clock, 3)
    assert untyped(table.items[KEY])["last_jobs"][-3:] == ["vid_0", "vid_1", "vid_2"]


def test_a_clock_that_was_ahead_does_not_stop_the_counting(
    statistics: RenderStatistics, table: CountingTable, clock: FakeClock
) -> None:
    clock.advance(86400)
    learn(statistics, clock, 1)
    clock.advance(-90000)
    learn(statistics, clock, 1, first=1)
    assert counted(table) == pytest.approx(2, rel=0.01)


def test_a_request_of_another_shape_is_polled_by_the_documented_duration(statistics: RenderStatistics) -> None:
    assert statistics.schedule(A_JOB._replace(request={})).wait_seconds(0, FAR) <= 15
