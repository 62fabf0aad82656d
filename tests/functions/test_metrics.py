"""What the functions count and measure while a job lives: every metric of the table, each by the way that makes it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from mock_server.responses_door import InProcessMock
from tests.conftest import LogLines, WanMock
from tests.fakes import FakeClock, wan_request
from tests.functions.test_reconcile_jobs import reconcile
from tests.stack import Stack
from wanflow import metrics
from wanflow.errors import DownloadFailed


class Meter:
    """Reads the metrics that functions have printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def read(self) -> dict[tuple[str, str | None], list[float]]:
        """(name, value of its dimension) -> values, of everything written since the last reading."""
        found: dict[tuple[str, str | None], list[float]] = {}
        for line in map(json.loads, self._capsys.readouterr().out.splitlines()):
            for name, label, value in _values(line):
                found.setdefault((name, label), []).append(value)
        return found


def _values(line: dict[str, Any]) -> list[tuple[str, str | None, float]]:
    values = []
    for directive in line.get("_aws", {}).get("CloudWatchMetrics", []):
        (dimensions,) = directive["Dimensions"]
        labels = [line[name] for name in dimensions if name != "service"]
        values += [(each["Name"], next(iter(labels), None), line[each["Name"]][0]) for each in directive["Metrics"]]
    return values


@pytest.fixture
def meter(capsys: pytest.CaptureFixture[str]) -> Meter:
    return Meter(capsys)


def test_a_life_that_goes_well(stack: Stack, wan: InProcessMock, clock: FakeClock, log: LogLines, meter: Meter) -> None:
    job_id = stack.ready_job()
    clock.advance(7)
    stack.submit(job_id)
    clock.advance(5)
    stack.poll(job_id)
    stack.store(job_id)
    stack.finish(job_id, polls=1)
    found = meter.read()
    assert all(found.pop((name, None))[0] >= 0 for name in ("SubmitLatency", "PollLatency"))
    assert found == {
        ("JobsAccepted", None): [1],
        ("CostReserved", None): [0.75],
        ("QueueWait", "interactive"): [7],
        ("RenderTime", None): [5],
        ("JobsEnded", "completed"): [1],
        ("PollsPerJob", None): [1],
        ("CostBooked", None): [0.75],
    }
    stack.finish(job_id, polls=1)
    assert meter.read() == {}, "what is run again is not counted again"


def test_a_submit_that_creates_nothing(stack: Stack, wan: InProcessMock, log: LogLines, meter: Meter) -> None:
    job_id = stack.ready_job(wan_request(prompt="character1 [[mock:001028099]]"))
    meter.read()
    stack.submit(job_id)
    assert {*meter.read()} == {
        ("QueueWait", "interactive"),
        ("SubmitLatency", None),
        ("SubmitErrors", "001028099"),
        ("SubmitFailuresInARow", None),
    }


def test_an_unknown_outcome(stack: Stack, wan: InProcessMock, log: LogLines, meter: Meter) -> None:
    job_id = stack.ready_job(wan_request(prompt="character1 [[mock:submit:lost-answer]]"))
    stack.submit(job_id)
    stack.finish(job_id)
    found = meter.read()
    assert found["UnknownOutcomes", None] == [1]
    assert found["SubmitErrors", "no_answer"] == [1]
    assert found["JobErrors", "submit_outcome_unknown"] == [1]
    assert found["CostBooked", None] == [0.75], "the estimate stays booked"


def test_a_poll_that_fails(stack: Stack, wan: InProcessMock, clock: FakeClock, log: LogLines, meter: Meter) -> None:
    job_id = stack.ready_job(wan_request(prompt="character1 [[mock:poll:http-503]]"))
    stack.submit(job_id)
    clock.advance(5)
    meter.read()
    stack.poll(job_id)
    assert {*meter.read()} == {("PollLatency", None), ("PollErrors", "other")}


def test_a_video_that_is_not_delivered(
    stack: Stack, wan: InProcessMock, clock: FakeClock, log: LogLines, meter: Meter
) -> None:
    job_id = stack.ready_job(wan_request(prompt="character1 [[mock:download:cut]]"))
    stack.submit(job_id)
    clock.advance(5)
    stack.poll(job_id)
    meter.read()
    with pytest.raises(DownloadFailed):
        stack.store(job_id)
    assert {*meter.read()} == {("StoreErrors", "download_failed")}


def test_how_the_stack_stands(stack: Stack, make_wan: WanMock, clock: FakeClock, log: LogLines, meter: Meter) -> None:
    make_wan(render_seconds=60)
    stack.template.parameters |= {"MaxConcurrentTasks": "1", "DailyBudgetUsd": "3"}
    stack.submit(stack.ready_job())
    clock.advance(30)
    stack.take_slot(stack.create_job())
    clock.advance(30)
    meter.read()
    reconcile(stack)
    assert meter.read() == {
        ("OpenJobs", "processing"): [1],
        ("OpenJobs", "queued"): [1],
        ("WaitingJobs", "interactive"): [1],
        ("OldestOpenJobAge", None): [60],
        ("SlotsTaken", None): [1],
        ("BudgetUsed", None): [50],
    }


def test_a_stack_without_jobs_writes_nothing(stack: Stack, log: LogLines, meter: Meter) -> None:
    reconcile(stack)
    assert meter.read() == {}


def test_a_provider_that_is_down_is_told_of_until_it_is_up(
    stack: Stack, wan: InProcessMock, log: LogLines, meter: Meter
) -> None:
    job_id = stack.ready_job(wan_request(prompt="character1 [[mock:001028099*9]]"))
    stack.submit(job_id)
    stack.submit(job_id)
    assert meter.read()["SubmitFailuresInARow", None] == [1, 2]
    reconcile(stack)
    assert meter.read()["SubmitFailuresInARow", None] == [2]


def test_a_job_that_nobody_can_look_after(
    stack: Stack, clock: FakeClock, log: LogLines, meter: Meter, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.create_job()
    clock.advance(301)
    monkeypatch.setattr("wanflow.executions.Executions.status", _break)
    reconcile(stack)
    assert meter.read()["ReconcileErrors", None] == [1]


def _break(*_: Any) -> None:
    raise KeyError("what nobody thought of")


def test_a_webhook_s_tries(stack: Stack, log: LogLines, meter: Meter) -> None:
    body = {"id": "vid_x.failed", "type": "video.failed", "timestamp": "", "url": "http://10.0.0.1/", "document": "{}"}
    record = {
        "messageId": "1",
        "receiptHandle": "r",
        "body": json.dumps(body),
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "0"},
    }
    stack.invoke("deliver_webhook", {"Records": [record]})
    assert meter.read() == {("WebhookTries", "hopeless"): [1]}


TESTED: dict[Callable[..., None], list[metrics.Metric]] = {
    test_a_life_that_goes_well: [
        metrics.JOBS_ACCEPTED,
        metrics.COST_RESERVED,
        metrics.QUEUE_WAIT,
        metrics.SUBMIT_LATENCY,
        metrics.POLL_LATENCY,
        metrics.RENDER_TIME,
        metrics.JOBS_ENDED,
        metrics.POLLS_PER_JOB,
        metrics.COST_BOOKED,
    ],
    test_an_unknown_outcome: [metrics.UNKNOWN_OUTCOMES, metrics.SUBMIT_ERRORS, metrics.JOB_ERRORS],
    test_a_poll_that_fails: [metrics.POLL_ERRORS],
    test_a_video_that_is_not_delivered: [metrics.STORE_ERRORS],
    test_how_the_stack_stands: [
        metrics.OPEN_JOBS,
        metrics.WAITING_JOBS,
        metrics.OLDEST_OPEN_JOB_AGE,
        metrics.SLOTS_TAKEN,
        metrics.BUDGET_USED,
    ],
    test_a_provider_that_is_down_is_told_of_until_it_is_up: [metrics.SUBMIT_FAILURES_IN_A_ROW],
    test_a_job_that_nobody_can_look_after: [metrics.RECONCILE_ERRORS],
    test_a_webhook_s_tries: [metrics.WEBHOOK_TRIES],
}


def test_every_metric_has_a_way_that_makes_it() -> None:
    assert {metric for made in TESTED.values() for metric in made} == set(metrics.ALL)


def test_one_id_leads_from_the_api_to_the_end(
    stack: Stack, wan: InProcessMock, clock: FakeClock, log: LogLines
) -> None:
    answer = stack.call("POST", "/videos", wan_request())
    job_id = answer.body["id"]
    stack.take_slot(job_id)
    stack.submit(job_id)
    clock.advance(5)
    stack.poll(job_id)
    stack.store(job_id)
    stack.finish(job_id)
    lines = [line for line in log.lines if line.get("correlation_id") == job_id]
    assert [line["message"] for line in lines] == [
        "job accepted",
        "task submitted",
        "task polled",
        "video stored",
        "job ended",
    ]
    assert lines == log.lines, "every line of the job's life has its id"
    assert lines[0]["request_id"] == answer.headers["X-Request-Id"]


def test_a_refused_call_has_its_request_id_too(stack: Stack, log: LogLines) -> None:
    answer = stack.call("GET", "/nowhere")
    assert answer.headers["X-Request-Id"] == "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


def test_metrics_that_cannot_be_written_cost_no_job_anything(
    stack: Stack, wan: InProcessMock, clock: FakeClock, log: LogLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(*_: Any, **__: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(metrics, "single_metric", break_off)
    job_id = stack.ready_job()
    assert stack.submit(job_id)["next_step"] == "poll"
    clock.advance(5)
    stack.poll(job_id)
    stack.store(job_id)
    assert stack.finish(job_id, polls=1)["status"] == "completed"
    assert len(wan.simulator.state.tasks) == 1
    assert "SubmitLatency" in {line["metric"] for line in log.lines if line["message"] == "metric not written"}
