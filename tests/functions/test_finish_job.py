"""Finish Job: the one way out. Run twice, it does the same; dying anywhere, the next run completes it."""

import json
from typing import Any

import pytest

from mock_server.responses_door import InProcessMock
from tests.conftest import LogLines
from tests.fakes import FakeClock, wan_request
from tests.guarantees.dynamo import refuse
from tests.stack import OWNER, Stack, event_file
from wanflow import aws
from wanflow.errors import AwsUnavailable, ErrorInfo, NotFound
from wanflow.jobs import Job
from wanflow.records import JobRecords


class Events:
    """EventBridge as far as finish_job uses it."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.refuses = False

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - boto3's own names
        if self.refuses:
            return {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": "no"}]}
        self.entries += Entries
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}

    @property
    def details(self) -> list[dict[str, Any]]:
        return [json.loads(entry["Detail"]) for entry in self.entries]


@pytest.fixture
def events(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Events:
    fake = Events()
    monkeypatch.setattr(aws.eventbridge(), "put_events", fake.put_events)
    return fake


def stored_job(stack: Stack, clock: FakeClock, **request: Any) -> str:
    job_id = stack.ready_job(wan_request(**request))
    stack.submit(job_id)
    clock.advance(5)
    stack.poll(job_id)
    stack.store(job_id)
    return job_id


def test_a_stored_video_completes_the_job(stack: Stack, wan: InProcessMock, clock: FakeClock, events: Events) -> None:
    job_id = stored_job(stack, clock, metadata={"order": "4711"})
    assert stack.finish(job_id, polls=3) == {"job_id": job_id, "status": "completed"}
    job = stack.job(job_id)
    assert (job.status, job.polls, job.ended_at) == ("completed", 3, "2026-01-31T12:00:05.000Z")
    document = stack.read_json(f"videos/{job_id}.json")
    key = f"videos/{job_id}.mp4"
    assert document["output"][0]["content"] == [{"type": "video", "url": f"s3://{stack.bucket}/{key}", "key": key}]
    assert document["usage"] == {"cost": "0.75", "discount": 0}
    assert document["progress"] == 100
    assert document["metadata"] == {"order": "4711"}
    assert not stack.is_in_open_jobs(job_id)
    assert events.details == [{"id": f"{job_id}.completed", "owner": OWNER, "job": document}]


def test_the_provider_s_figures_are_kept_as_they_came(
    stack: Stack, wan: InProcessMock, clock: FakeClock, events: Events
) -> None:
    job_id = stored_job(stack, clock)
    result = stack.job(job_id).result
    assert result is not None
    stack.records.task_completed(job_id, {**result, "usage": {"cost": "0.7500001", "discount": 0.25}})
    stack.finish(job_id)
    assert stack.read_json(f"videos/{job_id}.json")["usage"] == {"cost": "0.7500001", "discount": 0.25}


def test_run_again_it_changes_nothing_and_says_nothing(
    stack: Stack, wan: InProcessMock, clock: FakeClock, events: Events
) -> None:
    job_id = stored_job(stack, clock)
    stack.finish(job_id)
    before = stack.item(job_id)
    clock.advance(60)
    assert stack.finish(job_id, execution_status="FAILED") == {"job_id": job_id, "status": "completed"}
    assert stack.item(job_id) == before
    assert len(events.entries) == 1


@pytest.mark.parametrize("place", ["files.Files.put_json", "finish.Finisher._send_event", "records.JobRecords.close"])
def test_dying_anywhere_the_next_run_completes_it(
    stack: Stack, wan: InProcessMock, clock: FakeClock, events: Events, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    job_id = stored_job(stack, clock)
    with monkeypatch.context() as patch:
        patch.setattr(f"wanflow.{place}", _die)
        with pytest.raises(AwsUnavailable):
            stack.finish(job_id)
    assert stack.is_in_open_jobs(job_id)
    assert stack.finish(job_id)["status"] == "completed"
    assert not stack.is_in_open_jobs(job_id)
    assert stack.read_json(f"videos/{job_id}.json")["status"] == "completed"
    assert {detail["id"] for detail in events.details} == {f"{job_id}.completed"}


def _die(*_: Any, **__: Any) -> None:
    raise AwsUnavailable("no answer")


def test_an_event_that_eventbridge_refuses_is_tried_again(
    stack: Stack, wan: InProcessMock, clock: FakeClock, events: Events
) -> None:
    job_id = stored_job(stack, clock)
    events.refuses = True
    with pytest.raises(AwsUnavailable, match="InternalFailure"):
        stack.finish(job_id)
    assert stack.is_in_open_jobs(job_id)
    events.refuses = False
    assert stack.finish(job_id)["status"] == "completed"
    assert len(events.entries) == 1


def test_a_noted_failure_is_what_the_job_ends_with(stack: Stack, wan: InProcessMock, events: Events) -> None:
    job_id = stack.create_job()
    stack.records.fail(job_id, ErrorInfo("001028095", "Internal generation error"))
    assert stack.finish(job_id)["status"] == "failed"
    document = stack.read_json(f"videos/{job_id}.json")
    assert document["error"] == {"code": "001028095", "message": "Internal generation error"}
    assert "output" not in document
    assert events.details[0]["id"] == f"{job_id}.failed"


def test_bytes_in_the_bucket_are_a_success_whatever_broke_afterwards(
    stack: Stack, wan: InProcessMock, clock: FakeClock, events: Events
) -> None:
    job_id = stored_job(stack, clock)
    assert stack.finish(job_id, execution_status="TIMED_OUT")["status"] == "completed"


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_a_broken_execution_ends_its_job(stack: Stack, events: Events, status: str) -> None:
    job_id = stack.create_job()
    event = event_file("finish_job", "broken_execution") | {"job_id": job_id, "execution_status": status}
    assert stack.invoke("finish_job", event) == {"job_id": job_id, "status": "failed"}
    error = stack.job(job_id).error
    assert error == ErrorInfo("internal_error", f"the workflow's execution ended {status}")


def test_the_rule_s_input_is_what_the_handler_reads(stack: Stack, events: Events) -> None:
    job_id = stack.create_job()
    (rule,) = stack.template.of_type("AWS::Events::Rule")
    (target,) = stack.template.properties(rule)["Targets"]
    text = target["InputTransformer"]["InputTemplate"].replace("<job_id>", job_id).replace("<status>", "ABORTED")
    assert stack.invoke("finish_job", json.loads(text))["status"] == "failed"


@pytest.mark.parametrize(
    ("name", "code"), [("DownloadFailed", "result_unavailable"), ("RecordChanged", "internal_error")]
)
def test_an_error_that_left_a_state_is_told_by_its_name(stack: Stack, events: Events, name: str, code: str) -> None:
    job_id = stack.create_job()
    event = event_file("finish_job", "caught_error") | {"job_id": job_id}
    event["error"]["Error"] = name
    stack.invoke("finish_job", event)
    error = stack.job(job_id).error
    assert error is not None
    assert error.code == code
    assert error.message


def test_an_execution_that_just_ends_without_a_reason_is_our_bug(stack: Stack, events: Events) -> None:
    job_id = stack.create_job()
    event = event_file("finish_job", "ended") | {"job_id": job_id}
    assert stack.invoke("finish_job", event)["status"] == "failed"
    error = stack.job(job_id).error
    assert error is not None
    assert error.code == "internal_error"


def test_the_verdict_of_an_upload_links_to_the_video(
    stack: Stack, wan: InProcessMock, clock: FakeClock, events: Events
) -> None:
    stack.put("inbox/request.json", json.dumps(wan_request()))
    verdict = stack.invoke("accept_upload", event_file("accept_upload", "request"))
    job_id = verdict["job_id"]
    stack.take_slot(job_id)
    stack.submit(job_id)
    clock.advance(5)
    stack.poll(job_id)
    stack.store(job_id)
    stack.finish(job_id)
    document = stack.read_json("outbox/request.json.result.json")
    assert document["status"] == "completed"
    assert f"videos/{job_id}.mp4?" in document["output"][0]["content"][0]["url"]
    assert events.details[0]["owner"] == "s3"


def test_a_job_that_moves_while_it_is_ended_is_read_anew(
    stack: Stack, wan: InProcessMock, clock: FakeClock, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = stored_job(stack, clock)
    result = stack.job(job_id).result
    assert result is not None
    really_end = JobRecords.end
    moved: list[str] = []

    def end_after_somebody_else(records: JobRecords, job: Job, *args: Any, **options: Any) -> None:
        if not moved:
            moved.append(job.id)
            records.task_completed(job.id, result)
        really_end(records, job, *args, **options)

    monkeypatch.setattr(JobRecords, "end", end_after_somebody_else)
    assert stack.finish(job_id)["status"] == "completed"
    assert moved == [job_id]


def render_times(stack: Stack) -> dict[str, Any]:
    key = {"pk": {"S": "render_times#1080P-5s-images"}, "sk": {"S": "render_times"}}
    return aws.dynamodb().get_item(TableName=stack.table, Key=key).get("Item", {})  # type: ignore[return-value]


def test_the_poll_schedule_learns_from_each_job_once(
    stack: Stack, wan: InProcessMock, clock: FakeClock, events: Events
) -> None:
    for job_id in [stored_job(stack, clock), stored_job(stack, clock)]:
        clock.advance(60)
        stack.finish(job_id)
        clock.advance(60)
        stack.finish(job_id, execution_status="FAILED")
    assert len(render_times(stack)["last_jobs"]["L"]) == 2
    assert sum(json.loads(render_times(stack)["counts"]["S"]).values()) == pytest.approx(2, rel=0.01)


def test_a_canceled_job_teaches_nothing(stack: Stack, wan: InProcessMock, clock: FakeClock, events: Events) -> None:
    job_id = stack.ready_job()
    stack.submit(job_id)
    stack.records.fail(job_id, ErrorInfo("canceled", "by its owner"))
    assert stack.finish(job_id)["status"] == "canceled"
    assert render_times(stack) == {}


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException"])
def test_statistics_that_cannot_be_written_fail_no_job_and_are_logged(
    stack: Stack,
    wan: InProcessMock,
    clock: FakeClock,
    events: Events,
    monkeypatch: pytest.MonkeyPatch,
    log: LogLines,
    code: str,
) -> None:
    job_id = stored_job(stack, clock)
    monkeypatch.setattr(aws.dynamodb(), "put_item", lambda **_: refuse(code, "PutItem"))
    assert stack.finish(job_id) == {"job_id": job_id, "status": "completed"}
    assert not stack.job(job_id).is_open
    assert len(events.details) == 1
    assert [line["message"] for line in log.lines if line["level"] == "ERROR"] == ["render time not counted"]


def test_statistics_that_hang_until_the_function_dies_keep_no_job_open(
    stack: Stack, wan: InProcessMock, clock: FakeClock, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = stored_job(stack, clock)

    class Killed(BaseException):
        pass

    def kill(*_: Any) -> None:
        raise Killed

    monkeypatch.setattr("wanflow.render_statistics.RenderStatistics.learn", kill)
    with pytest.raises(Killed):
        stack.finish(job_id)
    assert not stack.job(job_id).is_open
    assert stack.finish(job_id) == {"job_id": job_id, "status": "completed"}


def test_a_job_that_does_not_exist_is_an_error(stack: Stack) -> None:
    with pytest.raises(NotFound):
        stack.finish("vid_00000000000000000000000000")
