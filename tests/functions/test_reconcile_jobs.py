"""Reconcile Jobs: whatever died, the next run repairs it; run at any time, it breaks nothing that is well."""

from typing import Any

import pytest

from mock_server.responses_door import InProcessMock
from tests.conftest import WanMock
from tests.fakes import FakeClock, wan_request
from tests.stack import Stack, event_file
from wanflow import aws
from wanflow.errors import AwsUnavailable

DEADLINE = 3600


def reconcile(stack: Stack) -> dict[str, int]:
    done: dict[str, int] = stack.invoke("reconcile_jobs", event_file("reconcile_jobs", "schedule"))
    return {name: count for name, count in done.items() if count}


def stop(stack: Stack, job_id: str) -> None:
    arn = f"{stack.state_machine_arn.replace(':stateMachine:', ':execution:')}:{job_id}"
    aws.stepfunctions().stop_execution(executionArn=arn)


def test_what_is_well_is_left_alone(stack: Stack, wan: InProcessMock) -> None:
    job_id = stack.ready_job()
    stack.submit(job_id)
    before = stack.item(job_id)
    assert reconcile(stack) == {}
    assert stack.item(job_id) == before


def test_a_job_whose_workflow_was_never_started_is_started(
    stack: Stack, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("wanflow.executions.Executions.start", _die)
        job_id = stack.create_job()
    assert stack.executions() == []
    clock.advance(301)
    assert reconcile(stack) == {"started": 1}
    assert stack.executions() == [job_id]
    assert reconcile(stack) == {}


def _die(*_: Any, **__: Any) -> None:
    raise AwsUnavailable("no answer")


def test_a_job_whose_workflow_is_over_is_finished(stack: Stack, clock: FakeClock) -> None:
    job_id = stack.create_job()
    stop(stack, job_id)
    clock.advance(301)
    assert reconcile(stack) == {"finished": 1}
    assert stack.job(job_id).status == "failed"
    assert not stack.is_in_open_jobs(job_id)


def test_a_job_that_died_while_it_was_finished_is_finished(
    stack: Stack, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = stack.create_job()
    with monkeypatch.context() as patch:
        patch.setattr("wanflow.finish.Finisher._send_event", _die)
        with pytest.raises(AwsUnavailable):
            stack.finish(job_id)
    clock.advance(301)
    assert reconcile(stack) == {"finished": 1}
    assert not stack.is_in_open_jobs(job_id)


def test_a_job_that_waited_too_long_for_a_slot_ends_as_queue_timeout(
    stack: Stack, wan: InProcessMock, clock: FakeClock
) -> None:
    stack.template.parameters |= {"MaxConcurrentTasks": "1", "MaxQueueSeconds": "600"}
    stack.submit(stack.ready_job())
    waiting = stack.create_job()
    stack.take_slot(waiting)
    clock.advance(601)
    assert reconcile(stack)["queue_timeout"] == 1
    error = stack.job(waiting).error
    assert error is not None
    assert error.code == "queue_timeout"


def test_a_slot_whose_lease_ran_out_is_free_again(stack: Stack, clock: FakeClock) -> None:
    stack.template.parameters["MaxConcurrentTasks"] = "1"
    stack.ready_job()
    clock.advance(DEADLINE)
    waiting = stack.create_job()
    stack.take_slot(waiting)
    assert len(stack.woken) == 1
    clock.advance(3601)
    assert reconcile(stack)["lapsed"] == 1
    assert stack.woken[-1][1]["job_id"] == waiting


def test_a_video_that_missed_the_deadline_is_rescued_once(stack: Stack, make_wan: WanMock, clock: FakeClock) -> None:
    make_wan(render_seconds=DEADLINE + 100)
    job_id = stack.ready_job(wan_request())
    stack.submit(job_id)
    clock.advance(DEADLINE)
    assert stack.poll(job_id)["next_step"] == "finish"
    assert stack.finish(job_id)["status"] == "failed"
    error = stack.job(job_id).error
    assert error is not None
    assert error.code == "deadline_exceeded"
    clock.advance(601)
    assert reconcile(stack) == {"rescued": 1}
    job = stack.job(job_id)
    assert (job.status, job.error, job.rescued) == ("completed", None, True)
    assert stack.keys("videos/") == [f"videos/{job_id}.json", f"videos/{job_id}.mp4"]
    assert stack.read_json(f"videos/{job_id}.json")["rescued"] is True
    assert not stack.is_in_open_jobs(job_id)
    clock.advance(601)
    assert reconcile(stack) == {}


def test_one_job_that_breaks_does_not_keep_the_others_waiting(
    stack: Stack, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [stack.create_job() for _ in range(3)]
    for job_id in jobs:
        stop(stack, job_id)
    clock.advance(301)
    real = stack.records.get
    broken = jobs[1]

    def get(_: Any, job_id: str) -> Any:
        if job_id == broken:
            raise KeyError("a record that nobody can read")
        return real(job_id)

    with monkeypatch.context() as patch:
        patch.setattr("wanflow.records.JobRecords.get", get)
        assert reconcile(stack) == {"finished": 2, "broken": 1}
    assert reconcile(stack) == {"finished": 1}


@pytest.mark.parametrize("part", ["wanflow.slots.Slots.repair", "wanflow.gauges.Gauges.measure"])
def test_slots_or_gauges_that_break_keep_no_job_waiting_and_are_no_secret(
    stack: Stack, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    job_id = stack.create_job()
    stop(stack, job_id)
    clock.advance(301)
    monkeypatch.setattr(part, _die)
    with pytest.raises(AwsUnavailable):
        reconcile(stack)
    assert not stack.is_in_open_jobs(job_id)


def test_slots_are_repaired_even_in_a_run_whose_time_ends_among_the_jobs(
    stack: Stack, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.template.parameters["MaxConcurrentTasks"] = "1"
    stack.ready_job()
    clock.advance(DEADLINE)
    waiting = stack.create_job()
    stack.take_slot(waiting)
    stack.create_job()
    clock.advance(3601)

    class OutOfTime(BaseException):
        pass

    def end(*_: Any) -> None:
        raise OutOfTime

    monkeypatch.setattr("wanflow.reconcile.Reconciler._look_after", end)
    with pytest.raises(OutOfTime):
        reconcile(stack)
    assert stack.woken[-1][1]["job_id"] == waiting


def test_a_record_that_is_spoiled_keeps_no_other_waiting(stack: Stack, clock: FakeClock) -> None:
    job_id = stack.create_job()
    stop(stack, job_id)
    spoiled = {"pk": "job#vid_spoiled", "sk": "job", "open_shard": "0", "check_after": "2026-01-01T00:00:00.000Z"}
    item = {name: {"S": value} for name, value in spoiled.items()}
    aws.dynamodb().put_item(TableName=stack.table, Item=item)  # type: ignore[arg-type]
    clock.advance(301)
    assert reconcile(stack) == {"finished": 1, "broken": 1}
    assert not stack.is_in_open_jobs(job_id)
