"""By hand: a slot that nobody gives back, and a table that comes out of a backup. Neither pays for a job twice."""

import pytest

from local.errors import LocalStackError
from local.recovery import copy_missing, free
from mock_server.responses_door import InProcessMock
from tests.conftest import WanMock
from tests.fakes import FakeClock, wan_request
from tests.functions.test_reconcile_jobs import DEADLINE, reconcile, stop
from tests.functions.test_submit_task import created
from tests.stack import Stack
from wanflow import aws
from wanflow.clock import to_text

COPY = "restored"


# --- A slot that nobody gives back -----------------------------------------------------------------------------------


def unknown_job(stack: Stack) -> str:
    stack.template.parameters["MaxConcurrentTasks"] = "1"
    job_id = stack.ready_job(wan_request(prompt="character1 [[mock:submit:lost-answer]]"))
    stack.submit(job_id)
    stack.finish(job_id)
    return job_id


def test_the_slot_of_an_unknown_outcome_is_freed_by_hand_and_given_to_the_next(
    stack: Stack, wan: InProcessMock
) -> None:
    job_id = unknown_job(stack)
    waiting = stack.create_job()
    stack.take_slot(waiting)
    assert stack.woken[-1][1]["job_id"] == job_id, "its slot is still counted"
    free(aws.dynamodb(), stack.table, job_id)
    assert reconcile(stack) == {"called": 1}
    assert stack.woken[-1][1]["job_id"] == waiting
    with pytest.raises(LocalStackError, match="holds no slot"):
        free(aws.dynamodb(), stack.table, job_id)


def test_a_job_that_runs_keeps_its_slot(stack: Stack, wan: InProcessMock) -> None:
    job_id = stack.ready_job()
    stack.submit(job_id)
    with pytest.raises(LocalStackError, match="is processing: it needs its slot"):
        free(aws.dynamodb(), stack.table, job_id)
    assert stack.submit(job_id)["next_step"] == "poll"


def test_a_job_that_nobody_knows_is_named(stack: Stack) -> None:
    with pytest.raises(LocalStackError, match="no job vid_x"):
        free(aws.dynamodb(), stack.table, "vid_x")


# --- A table that comes out of a backup ------------------------------------------------------------------------------


def back_up(stack: Stack) -> None:
    """A table with what the stack's has now."""
    properties = stack.template.properties("JobsTable")
    kept = ("AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes")
    aws.dynamodb().create_table(TableName=COPY, **{name: properties[name] for name in kept})
    for item in aws.dynamodb().scan(TableName=stack.table)["Items"]:
        aws.dynamodb().put_item(TableName=COPY, Item=item)


def lose_table(stack: Stack) -> None:
    for item in aws.dynamodb().scan(TableName=stack.table)["Items"]:
        aws.dynamodb().delete_item(TableName=stack.table, Key={"pk": item["pk"], "sk": item["sk"]})


def bring_back(stack: Stack) -> dict[str, int]:
    return dict(copy_missing(aws.dynamodb(), COPY, stack.table, to_text(stack.clock())))


STEPS = ("accepted", "take_slot", "submit", "poll", "store", "finish")
"""A job's life; the first is over when it begins."""


def go_on(stack: Stack, clock: FakeClock, job_id: str, steps: tuple[str, ...]) -> None:
    for step in steps:
        if step == "poll":
            clock.advance(5)
        if step != "accepted":
            getattr(stack, step)(job_id)


@pytest.mark.parametrize("executions", ["known", "forgotten, as in a new stack"])
@pytest.mark.parametrize("last", STEPS)
def test_a_restored_job_is_not_paid_again(
    stack: Stack, make_wan: WanMock, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, last: str, executions: str
) -> None:
    wan = make_wan(render_seconds=3)
    job_id = stack.create_job()
    done = STEPS.index(last) + 1
    go_on(stack, clock, job_id, STEPS[:done])
    back_up(stack)
    go_on(stack, clock, job_id, STEPS[done:])
    assert (created(wan), stack.job(job_id).status) == (1, "completed")
    stop(stack, job_id)
    lose_table(stack)
    bring_back(stack)

    if executions != "known":
        monkeypatch.setattr("wanflow.executions.Executions.status", lambda *_: None)
        monkeypatch.setattr("wanflow.executions.Executions.start", lambda *_: None)
    for _ in range(6):
        clock.advance(1300)
        reconcile(stack)
        if executions != "known" and not stack.job(job_id).is_final:
            go_on(stack, clock, job_id, STEPS)

    assert created(wan) == 1
    assert stack.job(job_id).is_final
    assert not stack.is_in_open_jobs(job_id)


def test_a_paid_video_is_brought_home_although_the_record_is_older_than_it(
    stack: Stack, make_wan: WanMock, clock: FakeClock
) -> None:
    wan = make_wan(render_seconds=60)
    job_id = stack.ready_job()
    stack.submit(job_id)
    back_up(stack)
    stop(stack, job_id)
    lose_table(stack)
    assert bring_back(stack) == {"open jobs restored, to be ended by the reconciler": 1}
    for _ in range(3):
        clock.advance(DEADLINE)
        reconcile(stack)
    assert (stack.job(job_id).status, stack.job(job_id).rescued) == ("completed", True)
    assert f"videos/{job_id}.mp4" in stack.keys("videos/")
    assert created(wan) == 1


def test_a_submit_whose_answer_the_backup_does_not_know_stays_booked(
    stack: Stack, wan: InProcessMock, clock: FakeClock
) -> None:
    job_id = stack.ready_job()
    stack.records.begin_attempt(stack.job(job_id))
    back_up(stack)
    stop(stack, job_id)
    lose_table(stack)
    bring_back(stack)
    clock.advance(1300)
    reconcile(stack)
    job = stack.job(job_id)
    assert (job.status, job.booked_usd) == ("failed", job.estimate_usd)
    assert created(wan) == 0


def test_what_is_there_is_newer_than_the_copy_and_stays(stack: Stack, wan: InProcessMock) -> None:
    job_id = stack.ready_job()
    back_up(stack)
    stack.submit(job_id)
    assert bring_back(stack) == {"kept as they are": 1}
    assert stack.job(job_id).status == "processing"


def test_a_repeated_key_of_a_lost_job_does_not_start_it_again(
    stack: Stack, wan: InProcessMock, clock: FakeClock
) -> None:
    job_id = stack.create_job(headers={"Idempotency-Key": "order-1"})
    go_on(stack, clock, job_id, STEPS)
    stop(stack, job_id)
    lose_table(stack)
    assert stack.create_job(headers={"Idempotency-Key": "order-1"}) == job_id
    clock.advance(301)
    assert reconcile(stack) == {"finished": 1}
    assert created(wan) == 1


def test_tokens_slots_and_switches_of_then_are_left_behind(stack: Stack, wan: InProcessMock) -> None:
    stack.template.parameters["MaxConcurrentTasks"] = "1"
    stack.ready_job()
    stack.take_slot(stack.create_job())
    back_up(stack)
    lose_table(stack)
    bring_back(stack)
    kinds = {item["pk"]["S"].split("#")[0] for item in aws.dynamodb().scan(TableName=stack.table)["Items"]}
    assert kinds == {"job"}
