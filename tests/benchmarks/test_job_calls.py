"""What a job calls: counted in the world of the guarantee tests, in the units that DynamoDB bills."""

from collections import Counter
from typing import Any

import pytest

from benchmarks.job_calls import live, read_units, write_units
from benchmarks.job_cost import Bill, Counted, bill, check_alike
from wanflow.items import typed

JOB = {"pk": "job#1", "sk": "job", "owner": "a", "created": "c", "status": "queued"}
OPEN = {**JOB, "open_shard": "1", "check_after": "2026"}


def long(size: int) -> dict[str, Any]:
    return {"pk": "x", "sk": "x", "text": "x" * size}


@pytest.mark.parametrize(
    ("before", "after", "units"),
    [
        ({}, long(100), 1),
        (long(100), long(1500), 2),
        (long(5000), long(10), 5),
        (long(100), {}, 1),
        # by_owner gets an entry, and its status changes; open_jobs gets one, moves it, loses it.
        ({}, JOB, 2),
        (JOB, {**JOB, "status": "failed"}, 2),
        (JOB, {**JOB, "polls": 3}, 1),
        ({}, OPEN, 3),
        (OPEN, {**OPEN, "check_after": "2027"}, 3),
        (OPEN, JOB, 2),
    ],
)
def test_a_write_takes_a_unit_for_each_kilobyte_and_what_its_indexes_take(
    before: dict[str, Any], after: dict[str, Any], units: int
) -> None:
    assert write_units(typed(before), typed(after)) == units


def test_a_read_takes_a_unit_for_each_four_kilobytes_or_half_of_it() -> None:
    assert read_units([typed(long(100))], consistent=True) == 1
    assert read_units([typed(long(100))], consistent=False) == 0.5
    assert read_units([typed(long(3000)), typed(long(3000))], consistent=True) == 2
    assert read_units([], consistent=False) == 0.5


@pytest.fixture(scope="module")
def short() -> Any:
    return live(5)


def test_a_short_job_goes_once_through_each_state(short: Any) -> None:
    assert short.states == [
        "Take Slot",
        "Submit Task",
        "Submitted?",
        "Wait Before Poll",
        "Poll Task",
        "Task Ended?",
        "Store Result",
        "Finish Job",
    ]
    assert short.polls == 1
    assert short.count("s3", "PutObject") == 4
    assert short.count("eventbridge", "PutEvents") == 1


def test_an_hour_s_job_differs_in_its_polls_alone(short: Any) -> None:
    hour = live(3600)
    assert 40 <= hour.polls <= 80
    assert len(hour.states) == 5 + 3 * hour.polls
    assert hour.units.writes == short.units.writes
    more = hour.units.reads - short.units.reads
    # One record each time, and a look at the statistics every five minutes.
    assert hour.polls - 1 <= more <= hour.polls + 12


def test_a_bill_is_what_was_counted_at_list_prices(short: Any) -> None:
    seconds = dict.fromkeys(("Take Slot", "Submit Task", "Poll Task", "Store Result", "Finish Job"), 1.0)
    found = bill(short, seconds, 0)
    assert found.amounts["state transition"] == 8
    assert found.amounts["Lambda call"] == 5 + 2
    assert float(found.amounts["Lambda GB-second (arm64)"]) == pytest.approx((5 + 0.4) / 2)
    assert float(Bill({"state transition": found.amounts["state transition"]}).usd) == pytest.approx(0.2)


def test_a_job_that_went_another_way_on_the_local_stack_is_no_figure(short: Any) -> None:
    check_alike(Counted(5, [short.states], {}, 0), short)
    again = [*short.states, "Wait Before Poll", "Poll Task", "Task Ended?"]
    check_alike(Counted(5, [again], {}, 0), short)
    for other in ([*short.states, "Submit Task"], [*again, *again[-3:]], short.states[:-1]):
        with pytest.raises(SystemExit, match="differs"):
            check_alike(Counted(5, [other], {}, 0), short)
    assert Counter(short.states)["Poll Task"] == 1
